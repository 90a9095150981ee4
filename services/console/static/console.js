// Adds what NHS.UK frontend does by script: focus on messages, and buttons that take one press. Every page works
// without it.
import { initAll } from "./nhsuk-frontend.js";

document.body.classList.add("js-enabled", "nhsuk-frontend-supported");
initAll();

// Leaves at once, and so that the page before is not one step back.
for (const leave of document.querySelectorAll("[data-leave]")) {
  leave.addEventListener("click", (event) => {
    event.preventDefault();
    document.body.hidden = true;
    location.replace(leave.href);
  });
}

// A page that says what is missing, or shows what will be sent, is not one to come back to: going back, or opening it
// again, leads to its form and sends nothing once more.
if (document.querySelector(".nhsuk-error-summary, #check")) {
  history.replaceState(null, "", location.href);
}

// A key that is held down repeats. Pressed on a line of what is wrong it leads to the field, and must not send the form
// from there once more.
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.repeat && event.target.matches("input, button")) {
    event.preventDefault();
  }
});

// A page that the browser has kept as it was is asked for again: what it says may be over, or no longer open to whoever
// goes back.
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});

// Hears news while the page is looked at: a page that nobody looks at holds no connection.
const hear = (address, event, tell) => {
  let source;
  const listen = () => {
    if (document.hidden) {
      source?.close();
      source = undefined;
      return;
    }
    if (source === undefined) {
      source = new EventSource(address);
      source.addEventListener(event, ({ data }) => tell(data));
    }
  };
  document.addEventListener("visibilitychange", listen);
  listen();
};

// Says how many steps are new on a list that is open, and shows them when that is pressed: nothing moves under a hand.
for (const news of document.querySelectorAll("[data-news]")) {
  const link = news.querySelector("a");
  hear(news.dataset.news, "steps", (data) => {
    const count = Number(data);
    const words = count === 1 ? "1 new step: show" : `${count} new steps: show`;
    if (count > 0 && link.textContent !== words) {
      link.textContent = words;
    }
    link.hidden = !(count > 0);
  });
}

// Shows the figures as they stand, but for while somebody is at a link or button among them.
for (const figures of document.querySelectorAll("[data-figures]")) {
  hear(figures.dataset.figures, "figures", (data) => {
    if (!figures.contains(document.activeElement)) {
      figures.innerHTML = JSON.parse(data);
    }
  });
}
