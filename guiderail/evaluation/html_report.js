// The explorer of single samples; its data stands in the page itself.
"use strict";
for (const place of document.querySelectorAll(".explorer")) {
  const data = JSON.parse(place.querySelector("script").textContent);
  const find = (name) => place.querySelector(`[data-part=${name}]`);
  const make = (tag, text, name) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (name) node.className = name;
    return node;
  };
  const answersOf = (task) => data.samples.filter((sample) => sample.task === task.task);
  const bySystem = (task) => new Map(answersOf(task).filter((s) => s.sample === 0).map((s) => [s.system, s.answer]));
  const interesting = {
    all: () => true,
    differ: (task) => new Set(bySystem(task).values()).size > 1,
    forbidden: (task) => answersOf(task).some((s) => s.watches.some((w) => w.forbidden.length)),
    wrong: (task) => answersOf(task).some((s) => s.measures.CR === 0),
  };
  let chosen = null;

  function list() {
    const words = find("search").value.toLowerCase();
    const shown = data.tasks.filter((task) =>
      (!find("kind").value || task.kind === find("kind").value) &&
      (!find("package").value || task.package === find("package").value) &&
      interesting[find("which").value](task) &&
      (!words || (task.path + task.truth + answersOf(task).map((s) => s.answer).join()).toLowerCase().includes(words)));
    find("count").textContent = `${shown.length} of ${data.tasks.length}`;
    const buttons = shown.slice(0, 500).map((task) => {
      const button = make("button", task.truth.split("\n")[0].slice(0, 80) || "(nothing)");
      button.append(make("small", `${task.package} · ${task.path}`));
      button.setAttribute("aria-current", task === chosen);
      button.onclick = () => { chosen = task; list(); show(task); };
      return button;
    });
    find("list").replaceChildren(...buttons);
    return shown;
  }

  function show(task) {
    const prompt = make("pre");
    prompt.append(task.before.split("\n").slice(-24).join("\n"), make("span", task.truth, "truth"), task.behind.split("\n").slice(0, 8).join("\n"));
    const answers = make("div", undefined, "answers");
    answers.append(...answersOf(task).map((sample) => answer(task, sample)));
    const heading = make("h3", `${task.package} · ${task.path} · ${task.kind}`);
    find("sample").replaceChildren(heading, make("p", "What the author wrote is marked; the model saw what stands around it."), prompt, answers);
    prompt.scrollTop = prompt.scrollHeight;
  }

  function answer(task, sample) {
    const box = make("div", undefined, "answer");
    box.append(make("h4", sample.system + (sample.sample ? ` · sample ${sample.sample + 1}` : "")));
    const text = make("pre");
    let same = 0;
    while (same < sample.answer.length && sample.answer[same] === task.truth[same]) same++;
    text.append(make("span", sample.answer.slice(0, same), "same"), make("span", sample.answer.slice(same), "other"));
    if (!sample.answer) text.append(make("span", "(nothing)", "other"));
    box.append(text);
    const chips = make("div", undefined, "chips");
    for (const [name, value] of Object.entries(sample.measures)) if (value !== null) chips.append(make("span", `${name} ${+value.toFixed(2)}`));
    chips.append(make("span", `${sample.tokens} tokens, ${sample.passes} passes, ${(1000 * sample.seconds).toFixed(0)} ms`));
    box.append(chips);
    for (const error of sample.errors) box.append(make("div", error, "watch"));
    for (const watch of sample.watches) box.append(watched(watch));
    return box;
  }

  function watched(watch) {
    const line = make("div", `${watch.monitor}, ${watch.receiver} `, "watch");
    if (watch.abstained !== null) line.append(`left free: ${watch.abstained}`);
    else line.append(`${watch.legal} names exist`);
    watch.forbidden.forEach((token, i) => line.append(i ? ", " : "; forbidden: ", make("b", JSON.stringify(token)), ` at token ${watch.at[i] + 1}`));
    return line;
  }

  for (const name of ["kind", "package", "which"]) find(name).onchange = list;
  find("search").oninput = list;
  const first = data.tasks.find(interesting.forbidden) || data.tasks.find(interesting.differ) || data.tasks[0];
  if (first) { chosen = first; list(); show(first); }
}
