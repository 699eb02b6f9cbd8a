// Starts the map of a report: all it shows is within the file.
const root = document.querySelector(".map");
const read = (name) => document.querySelector(`script[data-${name}]`)?.textContent;

showMap(root, JSON.parse(read("item")), {
  names: () => JSON.parse(read("paths")),
  sheet(batch) {
    const sheet = read(`sheet="${batch}"`);
    return sheet ? Uint8Array.from(atob(sheet), (letter) => letter.charCodeAt(0)) : null;
  },
  picture(_, path) {
    const figures = [...document.querySelectorAll("figure[data-path]")];
    return figures.find((figure) => figure.dataset.path === path)?.querySelector("img")?.src ?? "";
  },
  full: () => "",
});
