// Builds DOM nodes. Outside text only ever becomes a text node or an attribute value, never markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element. `on…` members are listeners, `vars` are CSS custom properties, `value` is set
 * after the children exist (so that a select can take it), everything else is an attribute;
 * `true` gives an empty attribute, `false`, `null` and `undefined` none. Nullish children are skipped.
 */
export function el(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  const { value, vars, ...rest } = options;
  for (const [name, given] of Object.entries(rest)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), given);
    else if (given === true) node.setAttribute(name, "");
    else if (given !== false && given !== null && given !== undefined) node.setAttribute(name, given);
  }
  for (const [name, given] of Object.entries(vars ?? {})) node.style.setProperty(name, given);
  put(node, ...children);
  if (value !== undefined) node.value = value;
  return node;
}

/** Appends children, skipping the nullish and `false` ones. */
export function put(node, ...children) {
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

/** Replaces everything inside a node. */
export function fill(node, ...children) {
  node.replaceChildren();
  return put(node, ...children);
}

/** One of the drawings defined in index.html; decoration only, so hidden from assistive technology. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A label with its control, so that clicking the words focuses the control. */
export function field(words, control, options = {}) {
  return el("label", { ...options, class: `field ${options.class ?? ""}` }, el("span", { class: "field-name" }, words), control);
}

/** Options of a select from `[value, text]` pairs. */
export function choices(pairs) {
  return pairs.map(([value, text]) => el("option", { value }, text));
}

/** Changes the options of a select and keeps the choice when it is still there. */
export function refill(select, pairs) {
  const before = select.value;
  fill(select, choices(pairs));
  if (pairs.some(([value]) => value === before)) select.value = before;
}

/** The page's word for "there is nothing here". */
export function empty(words) {
  return el("p", { class: "empty" }, words);
}

/**
 * Only web addresses become links: a message must not be able to run a script by being clicked.
 * Returns null for anything else.
 */
export function webAddress(text) {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

/** A link that opens elsewhere, or plain words with the address as a hint when it is no web address. */
export function link(address, options, ...children) {
  const href = webAddress(address);
  if (href) return el("a", { ...options, href, target: "_blank", rel: "noopener noreferrer", title: address }, ...children);
  return el("span", { ...options, class: `${options.class ?? ""} dead-link`, title: address || "没有链接 no address" }, ...children);
}

/**
 * Runs `draw` at most once a frame however often the result is called: a load run brings thousands of updates a second.
 */
export function oncePerFrame(draw) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      draw();
    });
  };
}
