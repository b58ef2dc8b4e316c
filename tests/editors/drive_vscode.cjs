// Drives VS Code in a browser: `node drive_vscode.cjs URL FILE PROSE SHOTS`. Prints what it saw as one JSON object;
// test_vscode.py says what it must be. FILE and PROSE are files of the folder, SHOTS is the folder for screenshots, FAILURES that
// for one of a step that failed.

const { chromium } = require("playwright-core");

const [url, file, prose, shots] = process.argv.slice(2);
const seen = { ghosts: {} };
const ENTRIES = ".quick-input-list .monaco-list-row .label-name";

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

// What `read` returns as soon as `good` holds of it.
async function until(page, read, good, what, timeout = 60_000) {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await read();
    if (good(value)) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}, and saw ${value}`);
    await page.waitForTimeout(100);
  }
}

// A busy machine takes long to load the model.
async function waitForBar(page, word) {
  const label = () => barLabel(page).catch(() => "");
  return until(page, label, (text) => text.includes(word), `${word} in the status bar`, 300_000);
}

async function command(page, title) {
  await page.keyboard.press("F1");
  await page.waitForSelector(".quick-input-widget input");
  await page.keyboard.type(title);
  // Others that begin with the same words may stand above it.
  await page.locator(".quick-input-list .label-name", { hasText: new RegExp(`^${title}$`) }).first().click();
}

// Off and on again; what the status bar says.
async function switched(page, title) {
  await command(page, title);
  const off = await waitForBar(page, "off");
  await command(page, title);
  return [off, await waitForBar(page, "ready")];
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

  const line = () => lastLine(page);
  const before = await line();
  await page.keyboard.press("Control+ArrowRight");
  seen.afterWord = await until(page, line, (text) => text !== before, "a word");

  await ghost(page);
  await page.keyboard.press("Tab");
  seen.afterTab = await until(page, line, (text) => text !== seen.afterWord, "the rest");

  await page.keyboard.press("Control+Z");
  await page.keyboard.press("Control+Z");
  await page.keyboard.press("Escape");
  await toHole(page);
  await command(page, "Trigger Inline Suggestion");
  seen.ghosts.byHand = await ghost(page);
  const next = async () => {
    await page.keyboard.press("Alt+]"); // does nothing until all of them are there
    return ghost(page);
  };
  seen.ghosts.next = await until(page, next, (text) => text !== seen.ghosts.byHand, "another suggestion");
  await page.screenshot({ path: `${shots}/vscode-next-suggestion.png` });
  await page.keyboard.press("Escape");

  await (await bar(page)).click();
  await page.waitForSelector(".quick-input-list .monaco-list-row");
  seen.menu = await page.locator(ENTRIES).allTextContents();
  await page.screenshot({ path: `${shots}/vscode-menu.png` });
  await page.keyboard.press("Escape");

  seen.all = await switched(page, "guiderail: Turn On or Off");
  seen.language = await switched(page, "guiderail: Turn On or Off for This Language");

  await command(page, "guiderail: Restart the Server");
  await command(page, "guiderail: Restart the Server");
  // While no server runs VS Code asks nobody, and does not ask again by itself.
  const retyped = async () => {
    await waitForBar(page, "ready");
    await page.keyboard.press("Control+1"); // to the editor: the status bar, clicked above, may have the keys
    await toHole(page);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Backspace");
    await page.keyboard.type(".", { delay: 120 });
    return ghost(page, 10_000).catch(() => "");
  };
  seen.ghosts.restarted = await until(page, retyped, Boolean, "a suggestion of the new server", 300_000);
  seen.messages = await page.locator(".notification-list-item-message").allTextContents();

  await page.keyboard.press("Control+P");
  await page.waitForSelector(".quick-input-widget input");
  await page.keyboard.type(prose);
  await page.locator(ENTRIES, { hasText: prose }).first().click();
  await waitForBar(page, "off");
  await (await bar(page)).click();
  await page.locator(ENTRIES, { hasText: "Restart" }).waitFor();
  seen.proseMenu = await page.locator(ENTRIES).allTextContents();
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
