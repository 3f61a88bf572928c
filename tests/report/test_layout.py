"""No name is printed on another: figures measured in a browser, on the page and by themselves."""

from typing import Any

import pytest
from plotly.offline import get_plotlyjs
from verdict.circle_networks import circle_network

from grokinterp.report import circles_alone_figure, render_verdict, verdict_figures
from grokinterp.report._export import for_paper
from grokinterp.verdict import Verdict, find_verdict

# Boxes of a drawing's titles, legends and annotations, with a pixel given away.
OVERLAPS = """drawing => {
  const names = ".gtitle, .gtitle-subtitle, .legend, .annotation-text";
  const boxes = [...drawing.querySelectorAll(names)].map(e => [e.textContent, e.getBoundingClientRect()]);
  const outer = drawing.getBoundingClientRect();
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const found = [];
  boxes.forEach(([text, box], i) => {
    if (!box.width) return;
    const inside = box.top > outer.top - 1 && box.left > outer.left - 1 && box.right < outer.right + 1;
    if (!inside) found.push(text + " is cut");
    boxes.slice(0, i).forEach(([other, its]) => over(box, its) && found.push(other + " under " + text));
  });
  return found;
}"""


@pytest.fixture(scope="module")
def pizza() -> Verdict:
    return find_verdict(circle_network(13, {1: 9.0, 2: 8.0, 5: 10.0}, "pizza"))


@pytest.fixture(scope="module", params=["pizza", "s3_verdict"])
def verdict(request: pytest.FixtureRequest) -> Verdict:
    return request.getfixturevalue(request.param)


def test_titles_and_legends_of_figures_by_themselves_are_apart(chromium: Any, verdict: Verdict) -> None:
    page = chromium.new_page(viewport={"width": 960, "height": 900})
    page.set_content("<div id='drawing'></div>")
    page.add_script_tag(content=get_plotlyjs())
    drawing = page.query_selector("#drawing")
    found = {}
    for entry in verdict_figures(verdict):
        figure = entry.draw(verdict)
        drawing.evaluate("(to, figure) => Plotly.newPlot(to, JSON.parse(figure))", figure.to_json())
        assert page.query_selector(".gtitle").text_content() == figure.to_dict()["layout"]["title"]["text"]
        found[entry.name] = drawing.evaluate(OVERLAPS)
    page.close()
    assert not any(found.values()), found


def test_the_last_angle_is_named_in_a_papers_column(chromium: Any, pizza: Verdict) -> None:
    page = chromium.new_page(viewport={"width": 960, "height": 900})
    page.set_content("<div id='drawing'></div>")
    page.add_script_tag(content=get_plotlyjs())
    column = for_paper(circles_alone_figure(pizza))
    page.evaluate("figure => Plotly.newPlot('drawing', JSON.parse(figure))", column.to_json())
    named = page.eval_on_selector_all(
        "[class$=tick] text",
        "all => all.filter(e => e.style.display !== 'none').map(e => e.textContent)",
    )
    page.close()
    assert named.count("180°") == len(pizza.measured.circles)


@pytest.mark.parametrize("width", [1200, 390])
def test_legends_and_marks_of_the_page_are_apart(chromium: Any, verdict: Verdict, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900}, bypass_csp=True)
    page = context.new_page()
    page.set_content(render_verdict(verdict))
    found = {}
    for plot in page.query_selector_all(".plot"):
        plot.scroll_into_view_if_needed()
        plot.wait_for_selector(".main-svg")
        found[plot.get_attribute("id")] = plot.evaluate(OVERLAPS)
    assert not any(found.values()), found
    assert page.evaluate("document.documentElement.scrollWidth") == width
    context.close()
