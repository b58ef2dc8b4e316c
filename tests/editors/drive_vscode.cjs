// Drives VS Code in a browser: `node drive_vscode.cjs URL FILE SHOTS`. Prints what it saw as one JSON object;
// test_vscode.py says what it must be. SHOTS is the folder for screenshots, FAILURES that
// for one of a step that failed.

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
  // One that the cursor has left may still be fading.
  let text = "";
  for (let before = null; text !== before || !text.trim(); ) {
    before = text;
    await page.waitForTimeout(700);
    text = (await pieces.allTextContents()).join("").replaceAll("\u00a0", " ");
  }
  return text;
}

// The last line with text in it, without what is only suggested.
async function lastLine(page) {
  const rows = await page.locator(".monaco-editor .view-line").evaluateAll((all) =>
    all
      .map((row) => {
        const own = row.cloneNode(true);
        own.querySelectorAll("[class*=ghost-text]").forEach((one) => one.remove());
        return [parseFloat(row.style.top), own.textContent];
      })
      .sort((a, b) => a[0] - b[0])
      .map(([, text]) => text),
  );
  return (rows.filter((text) => text.trim()).at(-1) ?? "").replaceAll("\u00a0", " ");
}

async function bar(page) {
  return page.locator("#guiderail\\.guiderail\\.guiderail\\.status, [id*='guiderail.status']").first();
}

async function barLabel(page) {
  return (await (await bar(page)).locator("a").first().getAttribute("aria-label")) ?? "";
}

async function waitForBar(page, word) {
  const end = Date.now() + 300_000; // a busy machine takes long to load the model
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

// The line that is typed in is the last one with text.
async function toHole(page) {
  await page.keyboard.press("Control+End");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("End");
}

async function steps(page) {
  await page.goto(url);
  await page.waitForSelector(".monaco-workbench", { timeout: 120_000 });
  await page.getByRole("treeitem", { name: file }).first().dblclick({ timeout: 60_000 });
  await page.waitForSelector(".monaco-editor .view-line", { timeout: 60_000 });
  seen.ready = await waitForBar(page, "ready");

  await toHole(page);
  await page.keyboard.press("Escape");
  await page.keyboard.type(".", { delay: 120 });
  seen.ghosts.first = await ghost(page);
  seen.suggestWidget = await page.locator(".suggest-widget.visible").count();
  await page.screenshot({ path: `${shots}/vscode-ghost-text.png` });

  await page.keyboard.press("Control+ArrowRight");
  await page.waitForTimeout(1500);
  seen.afterWord = await lastLine(page);

  await ghost(page);
  await page.keyboard.press("Tab");
  await page.waitForTimeout(1000);
  seen.afterTab = await lastLine(page);

  await page.keyboard.press("Control+Z");
  await page.keyboard.press("Control+Z");
  await page.keyboard.press("Escape");
  await toHole(page);
  await command(page, "Trigger Inline Suggestion");
  seen.ghosts.byHand = await ghost(page);
  await page.waitForTimeout(3000); // until all of them are there
  await page.keyboard.press("Alt+]");
  await page.waitForTimeout(1000);
  seen.ghosts.next = await ghost(page);
  await page.screenshot({ path: `${shots}/vscode-next-suggestion.png` });
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
  const page = await browser.newPage({ viewport: { width: 900, height: 560 } });
  page.setDefaultTimeout(60_000);
  try {
    await steps(page);
  } catch (problem) {
    seen.problem = String(problem);
    await page.screenshot({ path: `${process.env.FAILURES}/vscode-failure.png` }).catch(() => {});
  }
  await browser.close();
  console.log(JSON.stringify(seen));
})();
