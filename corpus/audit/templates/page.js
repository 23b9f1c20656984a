// The browser of documents: search, filter, and one document at a time. All text goes in by textContent.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  const openForPaper = () => document.querySelectorAll("details.kind").forEach((details) => { details.open = true; });
  window.addEventListener("beforeprint", openForPaper);

  const data = byId("data");
  if (!data) return;
  const { words, fates, documents } = JSON.parse(data.textContent);
  const list = byId("list"), pane = byId("document"), search = byId("search");
  const filters = { source: byId("by-source"), fate: byId("by-fate"), rule: byId("by-rule") };
  for (const one of documents) one.haystack = [one.title, one.place, one.id, ...one.changes.map((change) => change[1])].join("\n").toLowerCase();

  for (const [key, select] of Object.entries(filters)) {
    for (const value of [...new Set(documents.map((one) => one[key]))].filter(Boolean).sort()) {
      const option = make("option", "", key === "fate" ? fates[value] : value);
      option.value = value;
      select.append(option);
    }
    select.addEventListener("change", fill);
  }
  search.addEventListener("input", fill);
  search.form.addEventListener("submit", (event) => event.preventDefault());

  function matching() {
    const wanted = search.value.trim().toLowerCase();
    return documents.filter((one) => (!wanted || one.haystack.includes(wanted))
      && Object.entries(filters).every(([key, select]) => !select.value || one[key] === select.value));
  }

  function fill() {
    const found = matching();
    list.replaceChildren(...found.map(entry));
    byId("shown").textContent = words.shown.replace("{count}", found.length.toLocaleString());
    if (found.length) show(found[0], list.firstChild); else pane.replaceChildren(make("p", "quiet", words.empty));
  }

  function entry(one) {
    const item = make("li"), button = make("button", "entry");
    button.type = "button";
    button.append(make("i", one.fate), make("bdi", "", one.title), make("small", "", one.why));
    button.addEventListener("click", () => show(one, item));
    item.append(button);
    return item;
  }

  function side(one, kept, title) {
    const box = make("div", "side"), text = make("p", "text");
    box.append(make("h5", "", title));
    for (const [sign, piece] of one.changes) {
      if (sign !== "=" && sign !== kept) continue;
      text.append(sign === "=" ? document.createTextNode(piece) : make(sign === "-" ? "del" : "ins", "", piece));
    }
    box.append(text);
    return box;
  }

  function show(one, item) {
    for (const other of list.children) other.classList.toggle("current", other === item);
    const head = make("header");
    head.append(make("h4", "", one.title), make("p", "place", one.place), make("p", "why", one.why === fates[one.fate] ? one.why : `${fates[one.fate]}: ${one.why}`), make("code", "", one.id));
    const sides = make("div", "sides");
    if (one.state === "compared") sides.append(side(one, "-", words.before), side(one, "+", words.after));
    else if (one.state === "gone") sides.append(side(one, "+", words.only));
    pane.replaceChildren(head, sides);
    if (one.state === "gone") pane.append(make("p", "quiet", words.gone));
  }

  byId("browser").hidden = false;
  fill();
})();
