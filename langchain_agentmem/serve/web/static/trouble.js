// What went wrong. An action's error stays until the next action or until it is dismissed; that of a look, which the page
// takes by itself, until a look succeeds.

import { byId } from "./dom.js";

const told = { act: "", look: "" };
let before = null;

function tell(whose, says) {
  told[whose] = says;
  byId("trouble").hidden = !(told.act || told.look);
  byId("trouble-says").textContent = told.act || told.look;
}

/** What an action of the user returns; null where it fails, and then why is told. */
export async function attempt(doing) {
  tell("act", "");
  try {
    return await doing();
  } catch (error) {
    tell("act", error.message);
    return null;
  }
}

/** What the page reads by itself; null where that fails, and then why is told. */
export async function look(reading) {
  try {
    const seen = await reading();
    tell("look", "");
    return seen;
  } catch (error) {
    tell("look", error.message);
    return null;
  }
}

byId("dismiss").onfocus = (event) => { before = event.relatedTarget; };
byId("dismiss").onclick = () => {
  tell("act", "");
  tell("look", "");
  before?.focus();
};
