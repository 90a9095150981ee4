// Adds what NHS.UK frontend does by script: focus on messages, and buttons that take one press. Every page works
// without it.
import { initAll } from "/assets/nhsuk-frontend.js";

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

// A page that says what is missing is not one to come back to: going back, or opening it again, leads to its form and
// sends nothing once more.
if (document.querySelector(".nhsuk-error-summary")) {
  history.replaceState(null, "", location.href);
}
