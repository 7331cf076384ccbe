// The page: what is open, what is shown of it, and what the buttons do. The modules below each know one part.
import { above } from './answer.mjs';
import { Api } from './api.mjs';
import { Camera } from './camera.mjs';
import { Collection } from './collection.mjs';
import { classColour, css } from './colours.mjs';
import { Controls } from './controls.mjs';
import * as format from './format.mjs';
import { errorText, Gallery } from './gallery.mjs';
import { listenForFiles, pasteKey } from './inputs.mjs';
import { languages, rememberLanguage, rememberedLanguage, translate } from './language.mjs';
import { decodePicture, decodeUpright, shownCanvas } from './picture.mjs';
import { debounce } from './queue.mjs';
import { ResultTable, showServer, showTimes, summary } from './results.mjs';
import { saveBlob, saveLines } from './save.mjs';
import { paintWhole, Stage } from './stage.mjs';

const $ = (id) => document.getElementById(id);
const ASK_AGAIN_AFTER = 250; // ms without another change of a slider

let language = rememberedLanguage();
let text = languages[language];
let info = { name: 'vkdet', version: '', devices: [], models: [] };
let current = null; // { picture, shown, answer }: what the stage holds of the selected picture
let frame = null; // of the camera: { canvas, blob, reply, rate }
let drawn = null; // ms of the last drawing

const api = new Api();
const controls = new Controls(
    {
        conf: $('conf'),
        confValue: $('conf-value'),
        iou: $('iou'),
        iouValue: $('iou-value'),
        model: $('model'),
        modelChoice: $('model-choice'),
        reset: $('reset'),
    },
    () => settingsChanged(),
);
const collection = new Collection(api, settings, () => info);
const gallery = new Gallery($('gallery'), collection, api, () => ({ text, settings: settings() }));
const stage = new Stage($('canvas'), $('stage'));
const table = new ResultTable($('rows'), (index) => look(index));
const camera = new Camera((blob, signal) => api.detect(blob, 'camera.jpg', settings(), signal));
const askAgain = debounce(ASK_AGAIN_AFTER, () => collection.refresh());

// --- what the server is asked with, and what its classes are called ---

function settings() {
    const { model } = controls;
    const wanted = { conf: controls.conf, iou: controls.iou };
    if (model) {
        wanted.model = model.name;
        if (model.version) {
            wanted.version = model.version;
        }
        if (model.languages?.includes(language)) {
            wanted.labels = language;
        }
    }
    return wanted;
}

function settingsChanged() {
    gallery.refresh();
    showResults();
    askAgain();
}

function classOf(id) {
    return controls.model?.classes?.find((c) => c.id === id);
}

function label(detection) {
    return classOf(detection.class_id)?.labels?.[language] ?? detection.label ?? String(detection.class_id);
}

function marksOf(answer) {
    return above(answer.detections, controls.conf).map((d) => ({
        box: d.box,
        score: d.score,
        label: label(d),
        class_id: d.class_id,
        colour: css(classColour(d.class_id, classOf(d.class_id)?.labels?.en ?? d.label)),
        text: `${label(d)} ${d.score.toFixed(2)}`,
    }));
}

// --- what is looked at: a picture or the camera ---

function lookedAt() {
    if (camera.running) {
        return { reply: frame?.reply ?? null, shown: frame && shownCanvas(frame.canvas), name: text.camera };
    }
    const picture = collection.selected;
    return { picture, reply: picture?.reply ?? null, shown: current?.shown ?? null, name: picture?.name ?? '' };
}

function look(index, fromStage = false) {
    stage.highlight(index);
    table.highlight(index, fromStage);
}

function showResults() {
    const { picture, reply, shown, name } = lookedAt();
    const marks = reply ? marksOf(reply.answer) : [];
    const size = reply?.answer ?? shown;
    stage.show(shown, marks);
    table.show(marks);
    let sentence = picture || camera.running ? '' : text.nothingYet;
    if (reply) {
        const most = controls.model?.max_detections;
        sentence = summary(marks, (id) => label({ class_id: id }), controls.conf, most, text);
    } else if (picture?.error) {
        sentence = errorText(picture.error, text);
    }
    setText($('summary'), sentence);
    $('summary').classList.toggle('quiet', !picture && !camera.running);
    $('table-room').hidden = marks.length === 0;
    $('canvas').hidden = !shown;
    $('canvas').setAttribute('aria-label', size ? text.picture(name, size.width, size.height, sentence) : name);
    $('caption').hidden = !size && !picture;
    $('caption-name').textContent = name;
    $('caption-size').textContent = size ? `${size.width} × ${size.height}` : '';
    $('save-picture').disabled = !shown || !reply;
    $('save-json').disabled = !reply && !picture?.error;
    showReply(reply);
}

function showReply(reply) {
    $('time-none').hidden = reply !== null;
    $('bar').hidden = reply === null;
    $('times').hidden = reply === null;
    if (reply) {
        showTimes($('bar'), $('times'), reply, drawn, camera.running ? frame.rate : 0, text);
    }
    showServer($('server'), info, controls.model, reply, text);
}

// A live region is read out when its text changes, so it is only touched then.
function setText(element, sentence) {
    if (element.textContent !== sentence) {
        element.textContent = sentence;
    }
}

function showState() {
    const { picture, reply } = lookedAt();
    const busy = !camera.running && picture && ['waiting', 'asking', 'busy'].includes(picture.state);
    $('working').hidden = !busy;
    $('working').textContent = busy ? (picture.state === 'busy' ? text.busy(picture.wait) : text.asking) : '';
    $('canvas').setAttribute('aria-busy', String(Boolean(busy && reply)));
    const error = camera.running ? null : picture?.error;
    $('failure').hidden = !error;
    if (error) {
        $('failure-text').textContent = errorText(error, text);
        $('failure-detail').textContent = error.detail ?? '';
        $('retry').hidden = error.kind === 'large' || error.kind === 'empty';
    }
    const empty = !camera.running && picture === null;
    moveFocus(empty);
    $('empty').hidden = !empty;
    $('live').hidden = !camera.running;
    $('pictures').hidden = collection.pictures.length === 0;
    $('pictures-count').textContent = text.picturesCount(collection.pictures.length);
    $('save-all').hidden = collection.pictures.length < 2 || camera.running;
    $('save-all').disabled = collection.pictures.some((p) => !p.reply && !p.error);
}

// The focus does not vanish with the sample that was chosen, or the last picture that was removed.
function moveFocus(empty) {
    if (!empty && $('empty').contains(document.activeElement)) {
        $('stage').focus({ preventScroll: true });
    } else if (empty && $('empty').hidden && [document.body, $('clear')].includes(document.activeElement)) {
        $('open').focus();
    }
}

// Brings the selected picture onto the stage: at first as the browser decodes it, with the answer as that needs it.
async function showPicture() {
    const picture = collection.selected;
    if (!picture) {
        return;
    }
    current ??= { picture, shown: null, answer: null };
    const mine = current;
    const answer = picture.reply?.answer ?? null;
    if (mine.answer === answer && mine.shown) {
        return;
    }
    let shown = null;
    try {
        const plain = () => api.plain(picture.file, settings());
        shown = answer
            ? await decodeUpright(picture.file, answer, plain, mine.shown)
            : await decodePicture(picture.file);
    } catch {
        // not to be shown here: the results, or the error, are all there is
    }
    if (current !== mine || (picture.reply?.answer ?? null) !== answer) {
        if (shown !== mine.shown) {
            shown?.close(); // overtaken by another picture or a newer answer
        }
        return;
    }
    if (shown !== mine.shown) {
        mine.shown?.close();
        mine.shown = shown;
    }
    mine.answer = answer;
    const hopeless = !mine.shown && answer;
    $('plain').hidden = !hopeless;
    $('plain').textContent = hopeless ? text.cannotShow : '';
    showResults();
}

function show() {
    if (current && current.picture !== collection.selected) {
        current.shown?.close();
        current = null;
    }
    $('plain').hidden = true;
    showState();
    showResults();
    showPicture();
}

// --- notices above the columns ---

function notice(kind, detail, action) {
    const box = document.createElement('div');
    box.className = 'notice';
    box.dataset.kind = kind;
    const words = document.createElement('p');
    words.textContent = [text.errors[kind] ?? text.errors.server, detail].filter(Boolean).join(' · ');
    const dismiss = document.createElement('button');
    dismiss.type = 'button';
    dismiss.className = 'button';
    dismiss.textContent = action ? text.retry : text.dismiss;
    dismiss.addEventListener('click', () => {
        box.remove();
        action?.();
    });
    box.append(words, dismiss);
    $('notices').replaceChildren(box);
}

const clearNotices = () => $('notices').replaceChildren();

function askForToken(wrong) {
    $('token-title').textContent = wrong ? text.tokenWrong : text.tokenTitle;
    $('token').hidden = false;
    $('token-value').focus();
}

$('token').addEventListener('submit', async (event) => {
    event.preventDefault();
    api.useToken($('token-value').value.trim());
    $('token').hidden = true;
    if (await connect(true)) {
        $('token-value').value = '';
        $('open').focus();
        collection.retryFailed('token');
    }
});

// --- starting ---

async function connect(withToken = false) {
    try {
        info = await api.info();
    } catch (error) {
        if (error.kind === 'token') {
            askForToken(withToken);
        } else {
            notice(error.kind ?? 'answer', error.detail, () => connect());
        }
        return false;
    }
    clearNotices();
    controls.setModels(info.models ?? [], info.default_model);
    return true;
}

async function openSample(name) {
    $('samples').open = false;
    try {
        openFiles([await api.sample(name)]);
    } catch (error) {
        notice(error.kind === 'gone' ? 'gone' : 'sample', error.detail);
    }
}

async function listSamples() {
    let names = [];
    try {
        names = await api.samples();
    } catch {
        return; // the pictures that one brings along are enough
    }
    for (const list of document.querySelectorAll('.sample-list')) {
        list.replaceChildren(...names.map((name, i) => sampleButton(name, i + 1)));
    }
    $('empty-samples').hidden = names.length === 0;
}

function sampleButton(name, number) {
    const item = document.createElement('li');
    const button = document.createElement('button');
    const image = document.createElement('img');
    button.type = 'button';
    button.dataset.sample = name;
    image.src = `samples/${encodeURIComponent(name)}`;
    image.dataset.number = number;
    image.alt = text.sample(number);
    button.append(image);
    button.addEventListener('click', () => openSample(name));
    item.append(button);
    return item;
}

function openFiles(files) {
    clearNotices();
    camera.stop();
    collection.add(files);
}

function setLanguage(next) {
    language = next;
    text = languages[next];
    document.documentElement.lang = next === 'zh' ? 'zh-Hans' : next;
    document.title = text.title;
    translate(document, text);
    for (const button of document.querySelectorAll('[data-language]')) {
        button.setAttribute('aria-pressed', String(button.dataset.language === next));
    }
    for (const image of document.querySelectorAll('img[data-number]')) {
        image.alt = text.sample(image.dataset.number);
    }
    const touch = matchMedia('(pointer: coarse)').matches; // nothing to drop with, and no keys to paste
    $('drop-title').textContent = touch ? text.touchTitle : text.dropTitle;
    $('drop-hint').textContent = touch ? text.touchHint : text.dropHint(pasteKey(navigator.platform));
    $('note').textContent = text.note(location.host);
    $('camera-text').textContent = camera.running ? text.cameraStop : text.camera;
    gallery.refresh();
    show();
    askAgain();
}

// --- the camera ---

async function cameraStarted() {
    $('camera').setAttribute('aria-pressed', 'true');
    $('camera-text').textContent = text.cameraStop;
    $('live').textContent = text.live;
    $('announce').textContent = text.liveNote;
    const devices = await camera.list();
    if (!camera.running) {
        return; // stopped in the meantime
    }
    $('camera-device').replaceChildren(...devices.map((d, i) => new Option(d.label || `${i + 1}`, d.id)));
    $('camera-device').value = camera.device;
    $('camera-choice').hidden = devices.length < 2;
    show();
}

function cameraFrame({ detail }) {
    frame = detail;
    $('keep').hidden = false;
    $('live').textContent = `${text.live} · ${text.frames(detail.rate.toFixed(1))}`;
    showResults();
}

function cameraStopped({ detail: error }) {
    frame = null;
    $('camera').setAttribute('aria-pressed', 'false');
    $('camera-text').textContent = text.camera;
    $('camera-choice').hidden = true;
    $('keep').hidden = true;
    $('announce').textContent = error ? '' : text.cameraStopped; // an error has its own notice
    $('summary').setAttribute('aria-live', 'polite');
    if (error?.kind === 'token') {
        askForToken(false);
    } else if (error) {
        notice(error.kind ?? 'cameraOther', error.detail);
    }
    show();
}

function toggleCamera() {
    if (camera.running) {
        camera.stop();
        return;
    }
    clearNotices();
    $('summary').setAttribute('aria-live', 'off'); // thirty sentences a second help nobody
    camera.start();
}

function keepFrame() {
    const { blob } = frame;
    const time = new Date().toTimeString().slice(0, 8).replaceAll(':', '-');
    openFiles([new File([blob], `camera-${time}.jpg`, { type: 'image/jpeg' })]);
}

// --- saving ---

function savePicture() {
    const { shown, reply, name } = lookedAt();
    const canvas = paintWhole(shown, marksOf(reply.answer)); // null, or no blob: larger than browsers make one
    const save = (blob) => (blob ? saveBlob(blob, `${format.stem(name)}-boxes.png`) : notice('save'));
    if (canvas) {
        canvas.toBlob(save, 'image/png');
    } else {
        save(null);
    }
}

function saveJson() {
    const { picture, reply, name } = lookedAt();
    saveLines([picture ?? { name, reply }], controls.conf, `${format.stem(name)}.json`);
}

// --- listening ---

$('camera').addEventListener('click', toggleCamera);
$('camera-device').addEventListener('change', () => camera.start($('camera-device').value));
$('keep').addEventListener('click', keepFrame);
$('save-picture').addEventListener('click', savePicture);
$('save-json').addEventListener('click', saveJson);
$('save-all').addEventListener('click', () => saveLines(collection.pictures, controls.conf, 'vkdet.ndjson'));
$('clear').addEventListener('click', () => collection.clear());
// all that failed for the same reason: a server that is back is back for each of them
$('retry').addEventListener('click', () => collection.retryFailed(collection.selected.error.kind));
for (const button of document.querySelectorAll('[data-language]')) {
    button.addEventListener('click', () => {
        rememberLanguage(button.dataset.language);
        setLanguage(button.dataset.language);
    });
}
document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
        if ($('samples').open) {
            $('samples').open = false;
            $('samples').querySelector('summary').focus();
        } else {
            camera.stop();
        }
    }
});
document.addEventListener('pointerdown', (event) => {
    if (!$('samples').contains(event.target)) {
        $('samples').open = false;
    }
});
camera.addEventListener('start', cameraStarted);
camera.addEventListener('frame', cameraFrame);
camera.addEventListener('stop', cameraStopped);
stage.addEventListener('point', ({ detail }) => look(detail, true));
stage.addEventListener('drawn', ({ detail }) => {
    const first = drawn === null;
    drawn = detail;
    if (first) {
        showReply(lookedAt().reply);
    }
});
collection.addEventListener('select', () => {
    camera.stop();
    show();
});
collection.addEventListener('list', showState);
collection.addEventListener('change', ({ detail }) => (detail === collection.selected ? show() : showState()));
collection.addEventListener('token', () => askForToken(false));
listenForFiles({ open: $('open'), input: $('files'), veil: $('veil') }, openFiles, () => notice('notFiles'));

setLanguage(language);
listSamples();
connect();
