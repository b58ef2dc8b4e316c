// Drives llama.vscode in a browser: `node drive_vscode_llama.cjs URL FILE OTHER SHOTS`. Types a dot in the last line of both files;
// test_llama_vscode.py says what must be shown.

const { ghost, lastLine, openFile, run, toHole, until } = require("./vscode_page.cjs");

const [url, file, other] = process.argv.slice(2);
const seen = {};

// The extension's host starts after the window, and nothing is asked before.
async function suggestion(page) {
  await toHole(page);
  for (let left = 10; ; left--) {
    await page.keyboard.type(".", { delay: 120 });
    try {
      return await ghost(page, 8000);
    } catch (error) {
      if (!left) throw error;
      await page.keyboard.press("Escape");
      await page.keyboard.press("Backspace");
    }
  }
}

async function steps(page) {
  await openFile(page, url, file);
  seen.inside = await suggestion(page);
  const before = await lastLine(page);
  await page.keyboard.press("Tab");
  seen.accepted = await until(page, () => lastLine(page), (text) => text !== before, "the suggestion in the file");
  await page.getByRole("treeitem", { name: other }).first().dblclick();
  await until(page, () => page.title(), (title) => title.includes(other), "the other file");
  seen.outside = await suggestion(page);
}

run(steps, seen);
