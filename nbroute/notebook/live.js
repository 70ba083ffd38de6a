// HTML from Python that a person can act on: what is clicked or changed is sent back.
const same = (a, b) =>
  a.nodeName === b.nodeName && a.dataset?.key === b.dataset?.key;
const SILENT =
  "No answer from the kernel: it is busy, not connected, or was restarted. After a restart, run this cell again.";
const FIELDS = "textarea, input, select";
const shown = (field) => (field.type === "checkbox" ? String(field.checked) : field.value);

// The value of a field in the HTML, whatever was typed in it since.
function written(field) {
  if (field.type === "checkbox") return String(field.defaultChecked);
  if (field.tagName !== "SELECT") return field.defaultValue;
  return ([...field.options].find((one) => one.defaultSelected) ?? field.options[0])?.value;
}

// What a person typed or chose stays until Python sends something that is not an echo of it.
function renew(old, fresh) {
  const [before, now, typed] = [written(old), written(fresh), shown(old)];
  const echo = (old.told ?? []).indexOf(now);
  if (old.tagName === "SELECT" && old.innerHTML !== fresh.innerHTML)
    old.replaceChildren(...fresh.childNodes);
  if (old.tagName === "TEXTAREA" && before !== now) old.defaultValue = now;
  old.told = echo < 0 && before !== now ? [] : (old.told ?? []).slice(echo + 1);
  const stays = before === now || echo >= 0 ? typed : now;
  if (old.type === "checkbox") old.checked = stays === "true";
  else if (old.value !== stays) old.value = stays;
}

// A part that a person opened or closed stays so.
function morph(old, fresh, kept) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  const field = old.matches(FIELDS);
  if (field) renew(old, fresh);
  const held = (name) => name === "open" && kept.has(old);
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && !held(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value && !held(name)) old.setAttribute(name, value);
  if (!field) children(old, fresh, kept);
}

function children(old, fresh, kept) {
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    let found = at;
    while (found && !same(found, next))
      found = next.dataset?.key || !found.dataset?.key ? found.nextSibling : null;
    if (!found) {
      old.insertBefore(next, at);
      continue;
    }
    while (at !== found) at = drop(at);
    at = found.nextSibling;
    morph(found, next, kept);
  }
  while (at) at = drop(at);
}

function drop(node) {
  const after = node.nextSibling;
  node.remove();
  return after;
}

// Copies formulas that the front end has typeset in the output that this replaces.
function typeset(page) {
  for (const place of page.querySelectorAll("[data-twin]")) {
    const twin = document.querySelector(place.dataset.twin);
    if (twin?.querySelector("mjx-container, .MathJax") && twin.innerHTML !== place.innerHTML)
      place.replaceChildren(...twin.cloneNode(true).childNodes);
  }
}

async function copy(text) {
  try {
    return await navigator.clipboard.writeText(text);
  } catch {} // a page that is not served securely, or a frame that may not
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function render({ model, el }) {
  const kept = new WeakSet();
  const page = document.createElement("div");
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
  // A kernel that is busy, restarted or gone cannot say so itself.
  const silence = document.createElement("p");
  silence.className = "nbr-silence";
  silence.setAttribute("role", "status");
  el.append(silence);
  let unheard;
  const send = (said) => {
    clearTimeout(unheard);
    unheard = setTimeout(() => (silence.textContent = SILENT), 3000);
    model.send(said);
  };
  const heard = () => {
    clearTimeout(unheard);
    silence.textContent = "";
  };
  const tell = (from, value) =>
    send({ do: from.dataset.do, at: from.dataset.at ?? "", value: value ?? "" });
  page.addEventListener("click", (event) => {
    const summary = event.target.closest("summary");
    if (summary) kept.add(summary.parentElement);
    const from = event.target.closest("button[data-do]");
    if (!from || from.getAttribute("aria-disabled") === "true") return;
    const menu = from.closest("details[data-menu]");
    if (menu) menu.open = false;
    flush();
    tell(from);
  });
  // One value at a time is on its way: a busy kernel gets the last one, not one for each key.
  let waiting, timer, flying = false;
  const flush = () => {
    clearTimeout(timer);
    const from = waiting;
    waiting = undefined;
    if (!from?.isConnected || shown(from) === (from.told?.at(-1) ?? written(from))) return;
    from.told = [...(from.told ?? []).slice(-4), shown(from)];
    flying = true;
    tell(from, shown(from));
  };
  const soon = () => (timer = setTimeout(flush, 120));
  const changed = (event) => {
    const from = event.target;
    const done = event.type !== "input";
    if (!from.matches?.(FIELDS) || !from.dataset.do || event.isComposing) return;
    if (from.type === "number" && !done) return; // half a number is not a number
    if (waiting && waiting !== from) flush();
    const first = !waiting;
    waiting = from;
    if (flying) return; // it is sent once the previous one was heard
    if (done) flush();
    else if (first) soon();
  };
  for (const name of ["input", "change", "compositionend"]) page.addEventListener(name, changed);
  page.addEventListener("keydown", (event) => {
    const menu = event.target.closest("details[data-menu]");
    if (event.key === "Escape" && menu?.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    if (event.target.matches(FIELDS)) event.stopPropagation(); // else JupyterLab uses the arrows
    const from = event.target.closest("[data-enter]");
    if (!from || event.isComposing || event.key !== "Enter" || !(event.ctrlKey || event.metaKey))
      return;
    event.preventDefault();
    flush();
    send({ do: from.dataset.enter, at: "", value: from.value });
  });
  const outside = (event) => {
    for (const menu of page.querySelectorAll("details[data-menu][open]"))
      if (!menu.contains(event.target)) menu.open = false;
  };
  // A letter pressed on a button is not one of JupyterLab's shortcuts; it goes to the button.
  // Shift+Enter is: it runs the cell, and does not press a button that may cost money.
  const runs = (event) =>
    event.key === "Enter" && event.shiftKey && !event.target.matches(FIELDS);
  const letters = (event) =>
    page.contains(event.target) &&
    event.target.toggleAttribute(
      "data-lm-suppress-shortcuts",
      !(event.ctrlKey || event.metaKey || event.altKey || runs(event)),
    );
  const unpressed = (event) =>
    page.contains(event.target) && runs(event) && event.preventDefault();
  window.addEventListener("keydown", letters, true);
  window.addEventListener("keydown", unpressed); // after JupyterLab, which ignores what is prevented
  document.addEventListener("click", outside);
  model.on("change:html", draw);
  model.on("msg:custom", (said) => {
    if (said.copy !== undefined) copy(said.copy);
    if (!said.heard) return;
    heard();
    flying = false;
    if (waiting) soon();
  });
  draw();
  return () => {
    clearTimeout(unheard);
    window.removeEventListener("keydown", letters, true);
    window.removeEventListener("keydown", unpressed);
    document.removeEventListener("click", outside);
  };
}

export default { render };
