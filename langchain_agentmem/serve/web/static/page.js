// The page: what is sent, what is asked for again when something happened, and who shows it.

import { change, hello, listen, read } from "./api.js";
import { Place, showMessages, showStory } from "./chat.js";
import { byId, count, el, restart } from "./dom.js";
import { showFacts, showKey, showKeys, showMemories, showPromotion, showWorking, tick } from "./panels.js";
import { showRecall, showSliders } from "./recall.js";
import { attempt, look } from "./trouble.js";

const EVENTS_SHOWN = 150;
const nothing = { query: "", ms: 0, found: [] };
let here = null;
let recall = nothing;
let seen = new Set();
let refreshing = null;
let moves = 0;
let asked = 0;
let drawn = 0;

/** What was asked for before somebody else speaks, or all was forgotten, is not shown any more. */
const place = new Place(() => {
  moves += 1;
  show(nothing);
  return refresh();
});

function show(found) {
  recall = found;
  showRecall(found);
}

async function refresh() {
  const { user, thread } = place;
  const since = moves, order = asked += 1;
  const seenNow = await look(() => read("view", { user, thread }));
  if (!seenNow || since !== moves || order < drawn) return;
  drawn = order;
  place.learn(seenNow.threads);
  if (thread !== place.thread) return refresh();
  showMessages(seenNow.messages);
  showWorking(seenNow.working);
  showMemories(seenNow.memories, user, tend);
  showFacts(seenNow.facts);
  showPromotion(seenNow.promotion);
  showLive();
  showKeys(seenNow.keys, here.prefix, (name) => attempt(() => showKey(name)));
}

function showLive() {
  const live = byId("live");
  live.textContent = live.classList.contains("on") ? `live, ${count(seen.size, "event")}` : "reconnecting";
}

/** Refreshes once for all that happens within a moment. */
function soon() {
  refreshing ??= setTimeout(() => {
    refreshing = null;
    refresh();
  }, 120);
}

async function act(doing) {
  const said = await attempt(doing);
  await refresh();
  return said;
}

/** Does something with a memory. The button that asked for it may be gone then, so the list takes the focus. */
async function tend(doing) {
  await act(doing);
  if (document.activeElement === document.body) byId("memories").focus();
}

async function say(text) {
  const { user, thread } = place;
  const since = moves;
  byId("send").disabled = true;
  const said = await act(() => change("turn", { user, thread, text }));
  byId("send").disabled = false;
  if (said && since === moves) show(said.recalled);
  return said;
}

async function ask(text) {
  const since = moves;
  const found = await attempt(() => change("recall", { user: place.user, text }));
  if (found && since === moves) show(found);
}

async function tune(settings) {
  const done = await attempt(() => change("change", { settings }));
  if (!done) showSliders(here.settings, tune);
  else if (recall.query) await ask(recall.query);
}

/** Settings that were changed, here or in another window. */
function changed({ settings }) {
  here.settings = settings;
  showSliders(settings, tune);
}

/** Takes up the connection: a demo that was started anew wants the page anew, another may have changed meanwhile. */
async function reached() {
  const again = await look(hello);
  if (!again) return;
  if (again.token !== here.token) {
    location.reload();
    return;
  }
  changed(again);
  soon();
}

const promote = () => act(() => change("promote"));

function happened(event) {
  if (seen.has(event.id)) return;
  seen.add(event.id);
  const log = byId("events");
  const time = new Date(event.time).toLocaleTimeString([], { hour12: false });
  const older = [...log.children].find((each) => each.firstChild.dateTime <= event.time) ?? null;
  log.insertBefore(el("li", { class: `event lit ${event.kind.split(".")[0]}` },
    el("time", { datetime: event.time }, time),
    el("span", { class: "kind" }, event.kind),
    el("span", { class: "what" }, [event.where, event.says].filter(Boolean).join(" · ")),
    el("span", { class: "number" }, event.ms === null ? "" : `${event.ms} ms`)), older);
  while (log.childElementCount > EVENTS_SHOWN) log.lastChild.remove();
  soon();
}

function forgotten() {
  seen = new Set();
  restart(byId("events"), byId("promoted"), byId("waiting"));
  for (const step of document.querySelectorAll(".step.done")) step.classList.remove("done");
  byId("outcome").textContent = "";
  return place.forget();
}

byId("composer").onsubmit = async (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (!text || byId("send").disabled) return;
  if (await say(text) && byId("text").value.trim() === text) byId("text").value = "";
  byId("text").focus();
};
byId("text").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    byId("composer").requestSubmit();
  }
};
byId("recall").onsubmit = (event) => {
  event.preventDefault();
  ask(byId("query").value);
};
byId("query").onfocus = () => byId("query").select();
byId("remember").onsubmit = async (event) => {
  event.preventDefault();
  const since = moves;
  const done = await act(() => change("remember", { user: place.user, text: byId("fresh").value }));
  if (!done || since !== moves) return;
  byId("fresh").value = "";
  byId("outcome").replaceChildren(el("span", { class: `tag ${done.outcome}` }, done.outcome), ` ${done.reason}`);
};
byId("promote").onclick = promote;
byId("reset").onclick = () => attempt(() => change("reset"));
byId("key-close").onclick = () => byId("key").close();

here = await look(hello);
if (here) {
  byId("server").textContent = here.server;
  byId("model").textContent = here.model;
  byId("prefix").textContent = here.prefix;
  byId("offline").hidden = !here.offline;
  showSliders(here.settings, tune);
  showStory(place, say, promote);
  show(nothing);
  await refresh();
  listen({ happened, changed, forgotten }, (connected) => {
    byId("live").classList.toggle("on", connected);
    showLive();
    if (connected) reached();
  });
  setInterval(tick, 500);
}
