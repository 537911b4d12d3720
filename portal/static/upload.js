// Sends the files of an upload one by one, with a bar for each. Without this script the form sends them all at once.
"use strict";
const form = document.querySelector("form[data-upload]");
const field = form.elements.namedItem("files");
const panel = document.getElementById("outcomes");
const list = panel.querySelector("ul");

const line = (file) => {
  const item = document.createElement("li");
  const name = document.createElement("bdi");
  name.textContent = file.name + " ";
  item.append(name);
  list.append(item);
  panel.hidden = false;
  return item;
};

const failed = (item, file, why) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn";
  button.textContent = "Try again";
  button.addEventListener("click", () => {
    item.remove();
    send(file);
  });
  item.append(why + " ", button);
};

const send = (file) => new Promise((done) => {
  const item = line(file);
  if (file.size > Number(form.dataset.most)) {
    item.append("It is larger than a file may be here, so it was not sent.");
    return done();
  }
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", "Sending " + file.name);
  item.append(bar);
  const body = new FormData(form);
  body.delete("files");
  body.append("files", file);
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
  request.addEventListener("loadend", () => {
    bar.remove();
    if (request.status === 200 && !request.responseURL.includes("sign-in")) {
      const said = new DOMParser().parseFromString("<ul>" + request.responseText + "</ul>", "text/html");
      item.replaceWith(...said.querySelectorAll("ul > li"));
    } else failed(item, file, request.status ? "It was not kept (" + request.status + ")." : "The connection broke off.");
    done();
  });
  request.open("POST", form.action);
  request.setRequestHeader("X-Upload", "1");
  request.send(body);
});

const sendAll = async (files) => { for (const file of files) await send(file); };
form.addEventListener("submit", (event) => {
  event.preventDefault();
  sendAll([...field.files]);
});
form.addEventListener("dragover", (event) => event.preventDefault());
form.addEventListener("drop", (event) => {
  event.preventDefault();
  sendAll([...event.dataTransfer.files]);
});
