// What the scripts that drive VS Code in a browser share: what they read on its page, and how they run their steps.

const { chromium } = require("playwright-core");

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
  const exact = title.replace(/[^\w\s:]/g, "\\$&");
  await page.locator(".quick-input-list .label-name", { hasText: new RegExp(`^${exact}$`) }).first().click();
}

// The line that is typed in is the last one with text.
async function toHole(page) {
  await page.keyboard.press("Control+End");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("End");
}

// Open the folder of `url`, and its `file`.
async function openFile(page, url, file) {
  await page.goto(url);
  await page.waitForSelector(".monaco-workbench", { timeout: 120_000 });
  await page.getByRole("treeitem", { name: file }).first().dblclick({ timeout: 60_000 });
  await page.waitForSelector(".monaco-editor .view-line", { timeout: 60_000 });
}

// Run `steps` in a page, and print what they put into `seen`.
async function run(steps, seen) {
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
}

module.exports = { ENTRIES, bar, command, ghost, lastLine, openFile, run, toHole, until, waitForBar };
