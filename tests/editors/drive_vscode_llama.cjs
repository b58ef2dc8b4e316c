// Drives llama.vscode in a browser: `node drive_vscode_llama.cjs URL FILE OTHER SHOTS`. Types a dot in the last line of both files;
// test_llama_vscode.py says what must be shown.

const { ghost, lastLine, openFile, run, toHole, until } = require("./vscode_page.cjs");

const [url, file, other] = process.argv.slice(2);
const seen = {};

// The extension's host starts after the window, and nothing is asked before; then the extension shows a page of its own.
async function suggestion(page, name) {
  for (let left = 10; ; left--) {
    await page.getByRole("treeitem", { name }).first().dblclick();
    await until(page, () => page.title(), (title) => title.includes(name), name);
    await page.waitForTimeout(500);
    await toHole(page);
    await page.keyboard.type(".", { delay: 120 });
    try {
      return await ghost(page, 8000);
    } catch (error) {
      if (!left) throw error;
      if ((await page.title()).includes(name)) {
        await page.keyboard.press("Escape");
        await page.keyboard.press("Backspace");
      }
    }
  }
}

async function steps(page) {
  await openFile(page, url, file);
  await page.locator(".statusbar-item", { hasText: "llama" }).first().waitFor({ timeout: 120_000 });
  seen.inside = await suggestion(page, file);
  const before = await lastLine(page);
  await page.keyboard.press("Tab");
  seen.accepted = await until(page, () => lastLine(page), (text) => text !== before, "the suggestion in the file");
  seen.outside = await suggestion(page, other);
}

run(steps, seen);
