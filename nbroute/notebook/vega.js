// Live charts that replace those above; vegaEmbed is bundled from vl-convert. The menu has nothing
// that would open a page on the network.
const options = {
  renderer: "svg",
  actions: { export: true, source: false, compiled: false, editor: false },
};

async function render({ model, el }) {
  const page = document.createElement("div");
  page.style.cssText =
    "display:grid;gap:24px 16px;max-width:1060px;" +
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,425px),1fr))";
  const instead = document.createElement("style");
  instead.textContent = `.${model.get("place")}{display:none}`;
  el.append(page);
  const charts = [];
  for (const spec of model.get("specs")) {
    const chart = document.createElement("div");
    chart.style.cssText = "min-width:0;overflow-x:auto";
    page.append(chart);
    charts.push(await vegaEmbed(chart, spec, options));
  }
  el.append(instead);
  return () => charts.forEach((chart) => chart.finalize());
}

export default { render };
