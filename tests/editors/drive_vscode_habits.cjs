// Drives VS Code's habits in a browser: `node drive_vscode_habits.cjs URL FILE PROSE SHOTS`; see drive_vscode.cjs.

const { ENTRIES, bar, command, ghost, lastLine, openFile, run, toHole, until, waitForBar } = require("./vscode_page.cjs");

const [url, file, , shots] = process.argv.slice(2);
const seen = {};

// What a page of the server's words shows, line by line; and whether typing into it is refused.
async function readPage(page, title, picture) {
  await page.locator(".tab.active", { hasText: title }).waitFor();
  const text = async () =>
    (await page.locator(".editor-group-container.active .monaco-editor .view-line").allTextContents())
      .join("\n")
      .replaceAll("\u00a0", " ");
  const shown = await until(page, text, (all) => all.trim() !== "", title);
  await page.keyboard.type("x");
  await page.waitForTimeout(500);
  const locked = (await text()) === shown;
  await page.keyboard.press("Escape");
  await page.screenshot({ path: `${shots}/${picture}.png` });
  await command(page, "View: Close Editor");
  return { text: shown, locked };
}

async function byHand(page) {
  await page.keyboard.press("Control+1");
  await toHole(page);
  await page.keyboard.press("Escape");
  await command(page, "Trigger Inline Suggestion");
  return ghost(page);
}

async function steps(page) {
  const line = () => lastLine(page);
  await openFile(page, url, file);
  await waitForBar(page, "ready");

  await toHole(page);
  await page.keyboard.press("Escape");
  await page.keyboard.type(".", { delay: 120 });
  seen.ghost = await ghost(page);
  seen.before = await line();
  await page.keyboard.press("Tab");
  seen.accepted = await until(page, line, (text) => text !== seen.before, "the suggestion");
  await page.keyboard.press("Control+Z");
  seen.undone = await until(page, line, (text) => text !== seen.accepted, "the line without it");

  seen.again = await byHand(page);
  await page.keyboard.press("Control+ArrowDown");
  seen.line = await until(page, line, (text) => text !== seen.undone, "a line of it");
  await page.keyboard.press("Control+Z");
  await until(page, line, (text) => text === seen.undone, "the line without it");

  seen.third = await byHand(page);
  await page.keyboard.press("Escape");
  await command(page, "guiderail: Why Is There No Suggestion?");
  seen.why = await readPage(page, "Why Is There No Suggestion", "vscode-why");
  await command(page, "guiderail: Show the Statistics");
  seen.stats = await readPage(page, "Statistics", "vscode-stats");

  await command(page, "guiderail: Snooze…");
  await page.locator(ENTRIES, { hasText: "30 minutes" }).waitFor();
  seen.minutes = await page.locator(ENTRIES).allTextContents();
  await page.locator(ENTRIES, { hasText: "30 minutes" }).first().click();
  seen.snoozed = await waitForBar(page, "snoozed");
  await (await bar(page)).click();
  await page.locator(ENTRIES, { hasText: "End the snooze" }).waitFor();
  seen.menu = await page.locator(".quick-input-list .monaco-list-row").allTextContents();
  await page.screenshot({ path: `${shots}/vscode-snooze.png` });
  await page.locator(ENTRIES, { hasText: "End the snooze" }).first().click();
  seen.ended = await waitForBar(page, "ready");
  await (await bar(page)).click();
  await page.locator(ENTRIES, { hasText: "this file" }).waitFor();
  await page.locator(ENTRIES, { hasText: "this file" }).first().click();
  await waitForBar(page, "off");
  await (await bar(page)).click();
  await page.locator(ENTRIES, { hasText: "this file" }).waitFor();
  seen.fileMenu = await page.locator(ENTRIES).allTextContents();
  await page.keyboard.press("Escape");

  await command(page, "Preferences: Open Settings (UI)");
  await page.locator(".settings-editor .search-container .monaco-editor").first().click();
  await page.keyboard.type("@ext:guiderail.guiderail");
  await page.locator(".settings-group-title-label, .setting-item").first().waitFor();
  await page.waitForTimeout(2000);
  seen.settings = await page.locator(".setting-item-category, .setting-item-label").allTextContents();
  seen.categories = (await page.locator(".settings-toc-entry").allTextContents()).map((text) => text.replace(/\W*\d*\W*$/, ""));
  await page.screenshot({ path: `${shots}/vscode-settings.png` });
}

run(steps, seen);
