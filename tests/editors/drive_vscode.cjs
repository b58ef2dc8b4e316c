// Drives VS Code in a browser: `node drive_vscode.cjs URL FILE SHOTS`. Prints what it saw as one JSON object;
// test_vscode.py says what it must be. SHOTS is the folder for screenshots.

const { chromium } = require("playwright-core");

const [url, file, shots] = process.argv.slice(2);
const seen = { ghosts: {} };

async function ghost(page, timeout = 60_000) {
  // A suggestion may be drawn in pieces, the first of which can be bare indentation.
  const pieces = page.locator(".monaco-editor [class*=ghost-text]");
  await page.waitForFunction(
    () => [...document.querySelectorAll(".monaco-editor [class*=ghost-text]")].some((one) => one.textContent.trim()),
    undefined,
    { timeout },
  );
  return (await pieces.allTextContents()).join("").replaceAll("\u00a0", " ");
}

async function line(page, number) {
  const rows = await page.locator(".monaco-editor .view-line").evaluateAll((all) =>
    all
      .map((row) => [parseFloat(row.style.top), row.textContent])
      .sort((a, b) => a[0] - b[0])
      .map(([, text]) => text),
  );
  return (rows[number - 1] ?? "").replaceAll("\u00a0", " ");
}

async function bar(page) {
  return page.locator("#guiderail\\.guiderail\\.guiderail\\.status, [id*='guiderail.status']").first();
}

async function barLabel(page) {
  return (await (await bar(page)).locator("a").first().getAttribute("aria-label")) ?? "";
}

async function waitForBar(page, word) {
  const end = Date.now() + 120_000;
  while (!(await barLabel(page).catch(() => "")).includes(word)) {
    if (Date.now() > end) throw new Error(`the status bar never said ${word}`);
    await page.waitForTimeout(200);
  }
  return barLabel(page);
}

async function command(page, title) {
  await page.keyboard.press("F1");
  await page.waitForSelector(".quick-input-widget input");
  await page.keyboard.type(title);
  await page.waitForTimeout(800);
  await page.keyboard.press("Enter");
}

async function toHole(page) {
  await page.keyboard.press("Control+Home");
  for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("End");
}

async function steps(page) {
  await page.goto(url);
  await page.waitForSelector(".monaco-workbench", { timeout: 120_000 });
  await page.getByRole("treeitem", { name: file }).first().dblclick({ timeout: 60_000 });
  await page.waitForSelector(".monaco-editor .view-line", { timeout: 60_000 });
  seen.ready = await waitForBar(page, "ready");

  await page.locator(".monaco-editor .view-line").first().click();
  await toHole(page);
  await page.keyboard.type(" ", { delay: 120 });
  seen.ghosts.first = await ghost(page);
  await page.screenshot({ path: `${shots}/vscode-ghost-text.png` });

  await page.keyboard.press("Control+ArrowRight");
  await page.waitForTimeout(1500);
  seen.afterWord = await line(page, 6);

  await ghost(page);
  await page.keyboard.press("Tab");
  await page.waitForTimeout(1000);
  seen.afterTab = await line(page, 6);

  await page.keyboard.press("Control+Z");
  await page.keyboard.press("Control+Z");
  await command(page, "Trigger Inline Suggestion");
  seen.ghosts.byHand = await ghost(page);
  await page.keyboard.press("Alt+]");
  await page.waitForTimeout(1000);
  seen.ghosts.next = await ghost(page);
  await page.keyboard.press("Escape");

  await (await bar(page)).click();
  await page.waitForSelector(".quick-input-list .monaco-list-row");
  seen.menu = await page.locator(".quick-input-list .monaco-list-row .label-name").allTextContents();
  await page.screenshot({ path: `${shots}/vscode-menu.png` });
  await page.keyboard.press("Escape");

  await command(page, "guiderail: Turn On or Off");
  seen.off = await waitForBar(page, "off");
  await command(page, "guiderail: Turn On or Off");
  seen.on = await waitForBar(page, "ready");
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
  const page = await browser.newPage({ viewport: { width: 1100, height: 640 } });
  page.setDefaultTimeout(60_000);
  try {
    await steps(page);
  } catch (problem) {
    seen.problem = String(problem);
    await page.screenshot({ path: `${shots}/vscode-failure.png` }).catch(() => {});
  }
  await browser.close();
  console.log(JSON.stringify(seen));
})();
