// Elements without markup: every text goes in as text, so that nothing that was said or stored is ever read as HTML.

export const byId = (id) => document.getElementById(id);

/** An element: el("li", {class: "note", onclick: f}, "text", child). Attributes that are null or false are left out. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

const drawn = new WeakMap();

/**
 * Makes a list show items. What did not change keeps its element, and with it focus and what is open in it; what is new
 * or changed is made again and lights up, except when the list is shown for the first time.
 */
export function sync(list, items, keyOf, make) {
  const before = drawn.get(list) ?? new Map();
  const after = new Map();
  const lit = drawn.has(list);
  for (const item of items) {
    const key = keyOf(item), form = JSON.stringify(item), old = before.get(key);
    if (old && old.form === form) {
      after.set(key, old);
    } else {
      const node = make(item);
      if (lit) node.classList.add("lit");
      after.set(key, { form, node });
    }
  }
  drawn.set(list, after);
  const wanted = [...after.values()].map((each) => each.node);
  for (const child of [...list.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((node, place) => {
    if (list.children[place] !== node) list.insertBefore(node, list.children[place] ?? null);
  });
  list.classList.toggle("empty", !wanted.length);
}

/** Shows a list as if for the first time: nothing lights up. */
export function restart(...lists) {
  for (const list of lists) drawn.delete(list);
  for (const list of lists) list.replaceChildren();
}

const units = [[86400, "d"], [3600, "h"], [60, "min"]];

/** Seconds as people say them. */
export function span(seconds) {
  const [size, unit] = units.find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

export function ago(time) {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  return seconds < 5 ? "now" : `${span(seconds)} ago`;
}

export const bytes = (count) => (count < 1000 ? `${count} B` : count < 1e6 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`);

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
