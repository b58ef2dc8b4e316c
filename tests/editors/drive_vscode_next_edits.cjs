// Renames a parameter in VS Code and presses Tab until nothing follows: `node … URL FILE PROSE SHOTS`; see drive_vscode.cjs.

const { command, openFile, run, until, waitForBar } = require("./vscode_page.cjs");

const [url, file, , shots] = process.argv.slice(2);
const seen = { marks: [] };
const QUIET_MS = 8000; // without a mark: nothing follows any more

// The texts that decorations show.
function marks(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll(".monaco-editor .view-line span")]
      .map((one) => getComputedStyle(one, "::after").content)
      .filter((text) => text !== "none" && text !== "normal" && text !== '""')
      .map((text) => text.slice(1, -1)),
  );
}

async function rename(page, place, text) {
  await page.keyboard.press("Control+G");
  await page.waitForSelector(".quick-input-widget input");
  await page.keyboard.type(place);
  await page.keyboard.press("Enter");
  await command(page, "Expand Selection");
  await page.keyboard.type(text, { delay: 60 });
  await page.keyboard.press("ArrowDown"); // away from what ghost text there may be
}

async function steps(page) {
  await openFile(page, url, file);
  await waitForBar(page, "ready");
  await rename(page, "1:16", "rate");
  await until(page, () => marks(page), (all) => all.length > 0, "the first edit", 120_000);
  await page.mouse.move(700, 450); // no hover over the picture
  await page.waitForTimeout(700);
  await page.screenshot({ path: `${shots}/vscode-next-edit.png` });
  for (let quiet = 0; quiet < QUIET_MS && seen.marks.length < 40; ) {
    const shown = await marks(page);
    if (shown.length > 0) {
      quiet = 0;
      seen.marks.push(shown.join(" "));
      await page.keyboard.press("Tab");
    }
    quiet += 500;
    await page.waitForTimeout(500);
  }
  await page.keyboard.press("Control+S");
  await page.locator(".tab", { hasText: file }).first().click();
  await page.keyboard.press("Control+S");
  await page.waitForTimeout(1000);
}

run(steps, seen);
