// Messages on the page: what the server refuses, or that it no longer answers.

const OURS = ["/gradio_api/", "/motions/", "/api/"];

/** Show a message until somebody closes it; the one before makes room. */
function alert(text) {
  let box = document.querySelector(".alert");
  if (!box) {
    box = document.createElement("div");
    box.className = "alert";
    box.setAttribute("role", "alert");
    box.innerHTML = `<p></p><button type="button" aria-label="close the message">×</button>`;
    box.querySelector("button").onclick = () => box.remove();
    document.querySelector(".gradio-container").append(box);
  }
  box.querySelector("p").textContent = plain(text);
}

function closeAlert() {
  document.querySelector(".alert")?.remove();
}

/** Have every failed request of the page shown: Gradio is silent about those outside of its queue. */
export function watchRequests() {
  const request = window.fetch;
  window.fetch = async (...given) => {
    const url = new URL(given[0]?.url ?? given[0], location.href);
    const ours = url.origin === location.origin && OURS.some((start) => url.pathname.startsWith(start));
    let answer;
    try {
      answer = await request(...given);
    } catch (error) {
      if (ours && error.name !== "AbortError") alert("The server does not answer. Is it still running?");
      throw error;
    }
    if (!ours) return answer;
    if (answer.ok) {
      if (url.pathname.startsWith("/gradio_api/run/")) closeAlert();
    } else if (!url.pathname.includes("heartbeat")) {
      const content = await answer.clone().json().catch(() => ({}));
      alert(content.error ?? `This did not work (${answer.status}).`);
    }
    return answer;
  };
}

/** Messages are escaped, for places that would take them for markup. */
export function plain(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
