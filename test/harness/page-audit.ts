/** What anybody needs of a page, looked at by hand: {@link AUDIT} runs in the browser and gives this. */
export interface Audit {
  /** More than the window's: it scrolls sideways. */
  readonly contentWidth: number;
  /** Text below 4.5:1 against what is behind it (3:1 where it is large). */
  readonly lowContrast: readonly string[];
  /** Controls, links and pictures without a name. */
  readonly unnamed: readonly string[];
  /** The levels of the headings, in order. */
  readonly headings: string;
  readonly doubleIds: readonly string[];
  /** Of aria-labelledby, aria-describedby, for, and links within the page. */
  readonly brokenReferences: readonly string[];
  /** Tables with a column that has no header. */
  readonly headlessTables: number;
  readonly landmarks: string;
}

export const AUDIT: string = String.raw`(() => {
  const all = [...document.querySelectorAll("body *")];
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true });
  const spot = (element) => element.tagName.toLowerCase() + (element.id ? "#" + element.id : "." + element.getAttribute("class")) + " " + element.textContent.trim().slice(0, 30);

  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colours = new Map();
  const rgba = (colour) => {
    if (!colours.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      colours.set(colour, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return colours.get(colour);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r, g, b].map((part, index) => (part * a + [R, G, B][index] * (255 - a)) / 255).concat(255);
  const behind = (element) => {
    if (element === null) return rgba("Canvas");
    const colour = rgba(getComputedStyle(element).backgroundColor);
    return colour[3] === 255 ? colour : over(colour, behind(element.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => { const share = part / 255; return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
  const lowContrast = [];
  for (const element of all) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "")) continue;
    if (!isShown(element) || element.closest(".unseen, .skip, script")) continue;
    const style = getComputedStyle(element);
    const back = behind(element.closest("svg") ? element.closest("svg").parentElement : element);
    const ink = over(rgba(element.tagName === "text" ? style.fill : style.color), back);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = contrast(ink, back);
    if (found < (isLarge ? 3 : 4.5)) lowContrast.push(found.toFixed(2) + " " + spot(element));
  }

  const nameOf = (element) =>
    element.getAttribute("aria-label") || (element.getAttribute("aria-labelledby") && "labelled") ||
    [...(element.labels || [])].map((label) => label.textContent).join("") || element.textContent.trim();
  const unnamed = all
    .filter((element) => element.matches("a, button, input, select, summary, section, figure, [role=img], [tabindex='0']"))
    .filter((element) => isShown(element) && !nameOf(element)).map(spot)
    .concat(all.filter((element) => element.matches("svg:not([aria-hidden=true] *):not([aria-hidden=true]):not([role=img])")).map(spot));

  const ids = all.filter((element) => element.id).map((element) => element.id);
  const references = all.flatMap((element) =>
    ["aria-labelledby", "aria-describedby", "for"].flatMap((name) => (element.getAttribute(name) || "").split(" ")).concat(
      (element.getAttribute("href") || "").startsWith("#") ? element.getAttribute("href").slice(1) : []));
  const tables = [...document.querySelectorAll("table")];
  const landmarks = { HEADER: "banner", MAIN: "main", FOOTER: "contentinfo", NAV: "navigation" };
  return {
    contentWidth: document.documentElement.scrollWidth,
    lowContrast,
    unnamed,
    headings: all.filter((element) => /^H[1-6]$/.test(element.tagName)).map((element) => element.tagName[1]).join(""),
    doubleIds: ids.filter((id, index) => ids.indexOf(id) !== index),
    brokenReferences: references.filter((id) => id && !document.getElementById(id)),
    headlessTables: tables.filter((table) => table.tHead === null || [...table.tBodies[0].rows].some((row) => row.cells.length !== table.tHead.rows[0].querySelectorAll("th[scope=col]").length || !row.querySelector("th[scope=row]"))).length,
    landmarks: [...document.body.children].map((element) => landmarks[element.tagName]).filter(Boolean).sort().join(" "),
  };
})()`;
