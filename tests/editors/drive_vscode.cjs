// Drives VS Code in a browser: `node drive_vscode.cjs URL FILE PROSE SHOTS`. Prints what it saw as one JSON object;
// test_vscode.py says what it must be. FILE and PROSE are files of the folder, SHOTS is the folder for screenshots, FAILURES that
// for one of a step that failed.

const { ENTRIES, bar, command, ghost, lastLine, openFile, run, toHole, until, waitForBar } = require("./vscode_page.cjs");

const [url, file, prose, shots] = process.argv.slice(2);
const seen = { ghosts: {} };

// Off and on again; what the status bar says.
async function switched(page, title) {
  await command(page, title);
  const off = await waitForBar(page, "off");
  await command(page, title);
  return [off, await waitForBar(page, "ready")];
}

async function steps(page) {
  await openFile(page, url, file);
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

run(steps, seen);
