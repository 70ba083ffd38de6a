// Server-made HTML that a person can act on: what is clicked or changed is told to Python.
const same = (a, b) =>
  a.nodeName === b.nodeName && a.dataset?.key === b.dataset?.key;

// What a person did to an element since (opened it, typed in it) is not undone by a redraw.
function morph(old, fresh, kept) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  const typed = old.matches("textarea, input:not([type=range]), select");
  const renewed = !typed || old.defaultText !== fresh.outerHTML;
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && !(name === "open" && kept.has(old))) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value && !(name === "open" && kept.has(old)))
      old.setAttribute(name, value);
  if (!typed) return children(old, fresh, kept);
  if (!renewed) return;
  old.defaultText = fresh.outerHTML;
  if (old.tagName === "SELECT") old.replaceChildren(...fresh.childNodes);
  else old.value = fresh.value;
}

function children(old, fresh, kept) {
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    if (at && same(at, next)) {
      const after = at.nextSibling;
      morph(at, next, kept);
      at = after;
    } else {
      for (const field of next.querySelectorAll?.("textarea, input, select") ?? [])
        field.defaultText = field.outerHTML;
      old.insertBefore(next, at);
    }
  }
  while (at) {
    const after = at.nextSibling;
    at.remove();
    at = after;
  }
}

// Formulas that the front end typeset in the output that this stands in for.
function typeset(page) {
  for (const place of page.querySelectorAll("[data-twin]")) {
    const twin = document.querySelector(place.dataset.twin);
    if (twin?.querySelector("mjx-container, .MathJax") && twin.innerHTML !== place.innerHTML)
      place.replaceChildren(...twin.cloneNode(true).childNodes);
  }
}

function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea"); // a page that is not served securely
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function render({ model, el }) {
  const kept = new WeakSet();
  const page = document.createElement("div");
  page.dataset.lmSuppressShortcuts = "true"; // a key on a button is the button's
  el.append(page);
  const draw = () => {
    const focused = page.contains(document.activeElement) && document.activeElement.dataset.key;
    const fresh = document.createElement("template");
    fresh.innerHTML = model.get("html");
    children(page, fresh.content, kept);
    if (focused && !page.contains(document.activeElement))
      page.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    for (const soon of [0, 300, 1500]) setTimeout(() => typeset(page), soon);
  };
  const tell = (from, value) =>
    model.send({ do: from.dataset.do, at: from.dataset.at ?? "", value: value ?? "" });
  page.addEventListener("click", (event) => {
    const summary = event.target.closest("summary");
    if (summary) kept.add(summary.parentElement);
    const from = event.target.closest("button[data-do]");
    if (!from || from.getAttribute("aria-disabled") === "true") return;
    const menu = from.closest("details[data-menu]");
    if (menu) menu.open = false;
    tell(from);
  });
  let waiting;
  const changed = (event) => {
    const from = event.target.closest("[data-do]");
    if (!from || from.tagName === "BUTTON") return;
    clearTimeout(waiting);
    const value = from.type === "checkbox" ? String(from.checked) : from.value;
    if (event.type === "change") tell(from, value);
    else waiting = setTimeout(() => tell(from, value), 120);
  };
  page.addEventListener("input", changed);
  page.addEventListener("change", changed);
  page.addEventListener("keydown", (event) => {
    const menu = event.target.closest("details[data-menu]");
    if (event.key === "Escape" && menu?.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    const from = event.target.closest("[data-enter]");
    if (!from || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    clearTimeout(waiting);
    model.send({ do: from.dataset.enter, at: "", value: from.value });
  });
  const outside = (event) => {
    for (const menu of page.querySelectorAll("details[data-menu][open]"))
      if (!menu.contains(event.target)) menu.open = false;
  };
  document.addEventListener("click", outside);
  model.on("change:html", draw);
  model.on("msg:custom", (said) => said.copy !== undefined && copy(said.copy));
  draw();
  return () => document.removeEventListener("click", outside);
}

export default { render };
