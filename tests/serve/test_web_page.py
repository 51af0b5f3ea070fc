"""The demo page in real headless Chromium. One browser, and one demo behind it, for all tests of this file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serve.chromium import Page, opened_page

_LOWEST = """Math.min(...[...document.querySelectorAll("button")].filter((each) => each.checkVisibility())
    .map((each) => each.getBoundingClientRect().height))"""
_ASKED = "return performance.getEntriesByType('resource').map((each) => each.name).join(' ')"
_HOLD = """  // from now on, what the page looks at is held back
    window.held = [];
    window.fetched = window.fetch;
    window.fetch = async (...request) => {
        const response = await window.fetched(...request);
        if (String(request[0]).includes("/api/view")) await new Promise((go) => window.held.push(go));
        return response;
    };
"""
EVIL = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 2'>"


@pytest.fixture(scope="module")
def opened() -> Iterator[Page]:
    with opened_page() as page:
        yield page


@pytest.fixture
def page(opened: Page) -> Page:
    """The page, where nothing was said yet."""
    opened.resize(1280, 1000)
    opened.reset()
    return opened


def active(page: Page) -> str:
    """What has the focus: its id, or else its text."""
    return str(page.run("const at = document.activeElement; return at.id || at.textContent"))


def test_the_steps_tell_the_whole_story(page: Page) -> None:
    page.step(1)
    page.sees("#messages .ai", "Noted: name Ada")
    page.sees("#working", "noted.dietvegetarian")
    page.promote()
    page.sees("#facts", "vegetarian")
    page.sees("#memories", "User is allergic to peanuts.")
    page.sees("#events", "memory.promoted")
    page.sees("#events", "checkpoint")

    page.step(2)
    page.promote()
    page.step(3)
    page.promote()
    page.sees("#promoted .reinforced", "reinforced")
    page.sees("#memories .hit", "said 2")

    page.step(4)
    page.promote()
    page.sees("#promoted .superseded", "superseded")
    page.sees("#facts s", "vegetarian")
    page.click("#memories button.tag")
    page.sees("#memories .versions", "User is vegetarian.")

    page.step(5)
    page.sees("#messages .ai", "You told me: “I always take the night train instead of flying.”")
    assert page.text("#thread option:checked") == "ada-2"
    page.sees("#recalled .said", "night train")
    page.click("#recalled summary")
    terms = [float(each.text) for each in page.all("#recalled li:first-child td.number")]
    assert sum(terms[:-1]) == pytest.approx(terms[-1], abs=0.003)
    assert len(page.all("#recalled li:first-child .bar i")) == len(terms) - 1

    page.step(6)
    page.sees("#messages .ai", "You have not told me yet.")
    assert page.all("#recalled li, #memories > li, #facts > li") == []


def test_it_works_with_the_keyboard_alone(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open()

    def press(key: str) -> None:
        page.driver.switch_to.active_element.send_keys(key)

    press(Keys.TAB)
    assert active(page) == "Skip to the conversation"
    press(Keys.ENTER)
    page.until(lambda: active(page) == "text")
    press("I'm vegan.")
    press(Keys.ENTER)
    page.sees("#messages .ai", "Noted: diet vegan.")
    page.until(lambda: active(page) == "text")
    press(Keys.TAB)
    assert active(page) == "send"
    assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    press(Keys.TAB)
    press(Keys.ENTER)  # the first of the steps to try
    page.sees("#messages", "allergic to peanuts")


def test_every_control_has_a_name(page: Page) -> None:
    page.say("I love jazz.")
    page.promote()
    page.until(lambda: page.all("#memories > li"))
    kinds = "button, input, select, textarea, [role=log], meter, [role=img]"

    def all_named() -> bool:
        shown = page.run(f"return [...document.querySelectorAll({kinds!r})].filter((each) => each.checkVisibility())")
        return len(shown) > 15 and all(each.accessible_name for each in shown)

    page.until(all_named)


def test_memory_is_asked_taught_corrected_and_cleared_directly(page: Page) -> None:
    for text in ("Ada plays the cello.", "Ada plays the cello!"):
        page.one("#fresh").send_keys(text)
        page.click("#remember button")
        page.until(lambda: not page.one("#fresh").get_attribute("value"))
    page.sees("#outcome", "says exactly the same")
    page.one("#query").send_keys("What does Ada play?")
    page.click("#recall button")
    page.sees("#recalled", "cello")
    page.click("[aria-label^=Correct]")
    field = page.one("#memories form input")
    field.clear()
    field.send_keys("Ada plays the viola.")
    field.submit()
    page.sees("#memories", "viola")
    page.slide("substance", 0)
    page.until(lambda: "substance" not in page.text("#legend"))
    page.sees("#recalled", "viola")
    page.click("[aria-label^=Forget]")
    page.until(lambda: not page.all("#memories > li"))


def test_what_is_said_and_stored_is_never_markup(page: Page) -> None:
    page.say(EVIL)
    page.promote()
    page.sees("#memories", EVIL)
    page.one("#query").send_keys(EVIL)
    page.click("#recall button")
    page.sees("#recalled", EVIL)
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.click(".redis[data-panel=memories] button[title*=':item:']")
    page.sees("#key-entries", "window.hurt")
    page.click("#key-close")
    assert page.run("return window.hurt ?? null") is None
    assert page.all("main script, main img, dialog script, dialog img") == []


def test_small_screens_get_one_column_and_nothing_beside_it(page: Page) -> None:
    page.step(1)
    page.promote()
    page.sees("#facts", "vegetarian")
    for width in (390, 320):
        page.resize(width, 844)
        assert page.run("return document.documentElement.scrollWidth") <= width
        columns = page.run("return getComputedStyle(document.querySelector('main')).gridTemplateColumns")
        assert len(columns.split()) == 1
        assert page.run(f"return {_LOWEST}") >= 28


def test_a_reset_leaves_a_page_to_start_with(page: Page) -> None:
    page.step(1)
    page.promote()
    page.reset()
    assert page.all(".step.done, #facts > li, #recalled li, #promoted li") == []
    page.say("I'm vegan.")
    page.sees("#messages .ai", "Noted: diet vegan.")


def test_what_a_reset_erased_does_not_come_back_with_an_older_answer(page: Page) -> None:
    page.step(1)
    page.promote()
    page.run(_HOLD)
    page.one("#text").send_keys("What is my name?")
    page.click("#send")
    page.until(lambda: page.run("return window.held.length"))  # answered; what it shows then is on its way
    page.reset()
    page.run("for (const each of window.held) each(); window.fetch = window.fetched;")
    page.until(lambda: page.one("#send").is_enabled())
    assert page.all("#recalled li, #messages li, #memories > li") == []


def test_a_slider_moved_in_one_window_moves_in_the_others(page: Page) -> None:
    here = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.open()
    page.slide("limit", 2)
    page.driver.switch_to.window(here)
    page.sees("label[for=slider-limit] output", "2")
    assert page.one("#slider-limit").get_property("value") == "2"
    page.slide("quiet", 7)  # and does not move back what was moved there
    page.driver.switch_to.window(page.driver.window_handles[-1])
    page.sees("label[for=slider-quiet] output", "7")
    assert page.text("label[for=slider-limit] output") == "2"
    page.driver.close()
    page.driver.switch_to.window(here)


def test_long_texts_leave_the_other_panels_where_they_are(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    assert page.run("return getComputedStyle(document.getElementById('events'), '::before').content") != "none"
    page.run("document.getElementById('text').value = 'I love jazz. '.repeat(150)")
    page.click("#send")
    page.sees("#working", "I love jazz. I love jazz.")
    working = page.one("#working")
    assert working.size["height"] <= 300
    working.send_keys(Keys.END)
    page.until(lambda: working.get_property("scrollTop") > 100)
    page.promote()
    page.one("#query").send_keys("Which music?")
    page.click("#recall button")
    page.sees("#recalled", "I love jazz. I love jazz.")
    assert page.one("#recalled li").size["height"] <= 200
    page.click("#recalled summary")
    page.until(lambda: page.one("#recalled li").size["height"] > 500)


# --- what goes wrong ---


def test_why_an_action_failed_is_told_until_the_next_one(page: Page) -> None:
    page.say("I love jazz.")
    page.promote()

    def fail() -> None:
        if not page.all("#memories form"):
            page.click("[aria-label^=Correct]")
        page.run("document.querySelector('#memories form input').value = ' '")
        page.run("performance.clearResourceTimings()")
        page.one("#memories form").submit()
        page.until(lambda: "/api/view" in page.run(_ASKED))  # the page has looked again
        page.sees("#trouble", "text: ")

    fail()
    assert page.one("#trouble").is_displayed()
    page.say("I love blues.")
    assert not page.one("#trouble").is_displayed()
    fail()
    page.run("document.getElementById('text').focus(); document.getElementById('dismiss').focus();")
    page.driver.switch_to.active_element.send_keys(" ")
    page.until(lambda: not page.one("#trouble").is_displayed())
    assert active(page) == "text"
    assert all("422" in each for each in page.complaints())


def test_a_correction_that_is_being_written_survives_a_recall(page: Page) -> None:
    page.say("I love jazz.")
    page.promote()
    page.click("[aria-label^=Correct]")
    page.run("document.querySelector('#memories form input').value = 'I love blues.'")
    page.run("performance.clearResourceTimings()")
    page.one("#query").send_keys("What do I love?")
    page.click("#recall button")
    page.sees("#events", "memory.recalled")
    page.until(lambda: "/api/view" in page.run(_ASKED))
    assert page.one("#memories form input").get_property("value") == "I love blues."


def test_a_page_whose_demo_was_started_anew_goes_on(page: Page) -> None:
    page.say("I love jazz.")
    page.demo.restart()
    page.until(lambda: page.live() and not page.all("#messages li"))  # it has loaded itself again
    page.say("I love blues.")
    assert not page.one("#trouble").is_displayed()
    assert all("ERR_CONNECTION_REFUSED" in each or "ERR_INCOMPLETE" in each for each in page.complaints())


def test_nothing_was_refused_or_went_wrong_in_the_browser(opened: Page) -> None:
    assert opened.complaints() == []
