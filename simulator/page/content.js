// Reads the many spellings of a DingTalk message into one shape the page can draw.
// chat/send and work notices say action_card, btn_json_list; webhook robots actionCard, btns;
// the robot send API msgKey and msgParam (sampleText, sampleActionCard2, …).

const word = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));

function parsed(value) {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

const objectOf = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : {});
const listOf = (value) => (Array.isArray(parsed(value)) ? parsed(value) : []);

/** One of: text, markdown, link, card, feed, oa, rich, facts (image, voice, video, file), unknown. */
export function readContent(msgtype, content) {
  let kind = word(msgtype);
  let given = typeof content === "string" && parsed(content) === content ? { content } : objectOf(parsed(content));
  if (given.msgKey) {
    kind = word(given.msgKey);
    given = objectOf(parsed(given.msgParam));
  }
  // The content may be the whole message (`{"msgtype":"text","text":{…}}`) or only its inner object.
  const within = Object.hasOwn(given, kind) ? parsed(given[kind]) : null;
  const inner = within && typeof within === "object" && !Array.isArray(within) ? within : given;
  const read = Object.hasOwn(READERS, kind) ? READERS[kind] : /^sampleActionCard\d?$/.test(kind) ? sampleCard : null;
  return read ? read(inner, given) : { kind: "unknown", msgtype: kind, json: content };
}

/** One line for the list of groups. */
export function previewOf(msgtype, content) {
  const read = readContent(msgtype, content);
  switch (read.kind) {
    case "text": return read.text;
    case "rich": return read.parts.map((part) => part.text ?? "[图片]").join("");
    case "facts": return `[${read.name}]`;
    case "feed": return `[卡片] ${read.links[0]?.title ?? ""}`;
    case "link": return `[链接] ${read.title}`;
    case "card": case "markdown": case "oa": return read.title || plain(read.text);
    default: return `[${read.msgtype || "消息"}]`;
  }
}

const plain = (markdown) => markdown.replace(/[#>*_`]/g, "").trim();

const markdown = (body) => ({ kind: "markdown", title: word(body.title), text: word(body.text) });
const linkCard = (body) => ({
  kind: "link", title: word(body.title), text: word(body.text),
  picture: word(body.picUrl ?? body.pic_url), url: word(body.messageUrl ?? body.message_url),
});

function card(body) {
  const single = word(body.singleTitle ?? body.single_title);
  const many = listOf(body.btns ?? body.btn_json_list).map((button) => ({
    title: word(button?.title), url: word(button?.actionURL ?? button?.action_url ?? button?.actionUrl),
  }));
  return {
    kind: "card", title: word(body.title), text: word(body.text ?? body.markdown),
    buttons: single ? [{ title: single, url: word(body.singleURL ?? body.single_url ?? body.singleUrl) }] : many,
    across: !single && word(body.btnOrientation ?? body.btn_orientation) === "1",
  };
}

/** sampleActionCard has one button, …2 to …5 numbered ones below each other, …6 two side by side. */
function sampleCard(body) {
  if (body.singleTitle) return card(body);
  const buttons = [];
  for (let n = 1; n <= 5; n += 1) {
    const title = body[`actionTitle${n}`] ?? body[`buttonTitle${n}`];
    if (title) buttons.push({ title: word(title), url: word(body[`actionURL${n}`] ?? body[`buttonUrl${n}`]) });
  }
  return { kind: "card", title: word(body.title), text: word(body.text), buttons, across: Boolean(body.buttonTitle1) };
}

function oa(body) {
  const inner = objectOf(body.body);
  return {
    kind: "oa", url: word(body.message_url), head: word(objectOf(body.head).text), colour: argb(objectOf(body.head).bgcolor),
    title: word(inner.title), rows: listOf(inner.form).map((row) => [word(row?.key), word(row?.value)]),
    number: word(objectOf(inner.rich).num), unit: word(objectOf(inner.rich).unit),
    text: word(inner.content), picture: word(inner.image), files: word(inner.file_count), author: word(inner.author),
    status: word(objectOf(body.status_bar).status_value),
  };
}

/** DingTalk writes colours as AARRGGBB, with or without 0x. */
function argb(text) {
  const found = /^(?:0x)?[0-9a-f]{2}([0-9a-f]{6})$/i.exec(word(text));
  return found ? `#${found[1]}` : null;
}

const facts = (icon, name, pairs, picture = "") => ({
  kind: "facts", icon, name, picture, pairs: pairs.map(([key, value]) => [key, word(value)]).filter(([, value]) => value !== ""),
});

const image = (body) => {
  const source = body.photoURL ?? body.picURL ?? body.media_id ?? body.mediaId ?? body.downloadCode;
  return facts("image", "图片 Picture", [["media", source]], word(source));
};
// Durations come in seconds from chat/send, in milliseconds from the robot's API.
const voice = (unit) => (body) => facts("voice", "语音 Voice", [
  ["时长 duration", body.duration === undefined ? "" : `${word(body.duration)} ${unit}`],
  ["识别 recognised", body.recognition], ["media", body.media_id ?? body.mediaId ?? body.downloadCode],
]);
const video = (body) => facts("video", "视频 Video", [
  ["时长 duration", body.duration], ["类型 type", body.videoType], ["media", body.videoMediaId ?? body.media_id ?? body.downloadCode],
]);
const file = (body) => facts("file", word(body.fileName) || "文件 File", [
  ["类型 type", body.fileType], ["media", body.media_id ?? body.mediaId ?? body.downloadCode],
]);

const READERS = {
  text: (body) => ({ kind: "text", text: word(body.content ?? body.text) }),
  sampleText: (body) => ({ kind: "text", text: word(body.content) }),
  markdown, sampleMarkdown: markdown,
  link: linkCard, sampleLink: linkCard,
  action_card: card, actionCard: card,
  feedCard: (body) => ({
    kind: "feed",
    links: listOf(body.links).map((entry) => ({
      title: word(entry?.title), url: word(entry?.messageURL ?? entry?.messageUrl), picture: word(entry?.picURL ?? entry?.picUrl),
    })),
  }),
  oa,
  image, picture: (body, whole) => image(objectOf(whole.content ?? body)), sampleImageMsg: image,
  voice: voice("s"), audio: (body, whole) => voice("ms")(objectOf(whole.content ?? body)), sampleAudio: voice("ms"),
  video: (body, whole) => video(objectOf(whole.content ?? body)), sampleVideo: video,
  file: (body, whole) => file(objectOf(whole.content ?? body)), sampleFile: file,
  richText: (body, whole) => ({
    kind: "rich",
    parts: listOf(body.richText ?? objectOf(whole.content).richText).map((part) =>
      (part?.text === undefined ? { picture: word(part?.downloadCode) } : { text: word(part.text) })),
  }),
};
