const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function template() {
  const axis = { gridcolor: color("--grid"), linecolor: color("--line"), zerolinecolor: color("--line"), automargin: true, title: { standoff: 12 } };
  return {
    layout: {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: color("--font"), size: 13, color: color("--muted") },
      hoverlabel: { bgcolor: color("--card"), bordercolor: color("--line"), font: { family: color("--font"), color: color("--ink") }, align: "left" },
      xaxis: axis,
      yaxis: axis,
      annotationdefaults: { bgcolor: color("--card"), opacity: 0.85, font: { color: color("--muted") } },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: color("--stopped"), activecolor: color("--muted") },
      margin: { l: 64, r: 24, t: 44, b: 48 },
    },
  };
}

function shorten(label, longest) {
  const text = new DOMParser().parseFromString(label, "text/html").body.textContent;
  if (text.length <= longest) return label;
  const rest = document.createElement("i");
  rest.textContent = `${text.slice(0, longest - 1)}…`;
  return rest.innerHTML;
}

function draw() {
  for (const place of document.querySelectorAll(".plot")) {
    const figure = JSON.parse(place.nextElementSibling.textContent);
    figure.layout.template = template();
    figure.layout.height ??= 430;
    const axis = figure.layout.yaxis;
    if (axis?.ticktext) axis.ticktext = axis.ticktext.map((label) => shorten(label, Math.max(12, Math.floor(place.clientWidth / 20))));
    Plotly.react(place, figure.data, figure.layout, {
      responsive: true,
      displaylogo: false,
      modeBarButtons: [["toImage", "resetScale2d"]],
      toImageButtonOptions: { filename: place.id },
    });
  }
}

function sortBy(header) {
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  const table = header.closest("table");
  const value = (row) => row.cells[header.cellIndex].dataset;
  const order = (one, other) => {
    if ("none" in one || "none" in other) return ("none" in one) - ("none" in other);
    const difference = "number" in one && "number" in other ? one.number - other.number : (one.text ?? one.number).localeCompare(other.text ?? other.number);
    return ascending ? difference : -difference;
  };
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort((one, other) => order(value(one), value(other))));
}

document.querySelectorAll("thead button").forEach((button) => button.addEventListener("click", () => sortBy(button.closest("th"))));
for (const query of ["(prefers-color-scheme: dark)", "(max-width: 760px)", "print"]) matchMedia(query).addEventListener("change", draw);
draw();
