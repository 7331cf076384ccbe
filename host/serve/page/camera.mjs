// The camera: a frame goes to the server when the answer to the one before has come, and is shown with its own boxes.
import { Rate } from './queue.mjs';

const LARGEST = 1280; // longer side of a frame that is sent
const QUALITY = 0.92; // of its JPEG

// What getUserMedia refuses with -> a key of `errors` in the strings
export function cameraErrorKind(name) {
    const kinds = {
        NotAllowedError: 'cameraRefused',
        SecurityError: 'cameraRefused',
        NotFoundError: 'cameraNone',
        OverconstrainedError: 'cameraNone',
        NotReadableError: 'cameraTaken',
        AbortError: 'cameraTaken',
        Insecure: 'cameraInsecure',
    };
    return kinds[name] ?? 'cameraOther';
}

function nextFrame(video) {
    return new Promise((resolve) => {
        if (video.requestVideoFrameCallback) {
            video.requestVideoFrameCallback(() => resolve());
        } else {
            requestAnimationFrame(() => resolve());
        }
    });
}

function visible() {
    return new Promise((resolve) => {
        const look = () => {
            if (!document.hidden) {
                document.removeEventListener('visibilitychange', look);
                resolve();
            }
        };
        document.addEventListener('visibilitychange', look);
        look();
    });
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Events: 'start', 'frame' (detail: canvas, blob, reply, rate), 'stop' (detail: an error or null)
export class Camera extends EventTarget {
    #ask;
    #run = null; // what belongs to one start
    device = '';

    // ask(blob, signal) resolves to the reply of the server
    constructor(ask) {
        super();
        this.#ask = ask;
    }

    get running() {
        return this.#run !== null;
    }

    async start(deviceId = '') {
        this.#end();
        const run = { controller: new AbortController(), stream: null };
        this.#run = run;
        try {
            if (!navigator.mediaDevices?.getUserMedia) {
                throw Object.assign(new Error(), { name: 'Insecure' });
            }
            const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: 'user' };
            run.stream = await navigator.mediaDevices.getUserMedia({
                audio: false,
                video: { ...which, width: { ideal: 1280 }, height: { ideal: 720 } },
            });
        } catch (error) {
            if (this.#run === run) {
                this.stop({ kind: cameraErrorKind(error.name), detail: error.message });
            }
            return;
        }
        if (this.#run !== run) {
            run.stream.getTracks().forEach((track) => track.stop()); // stopped while the browser asked
            return;
        }
        const [track] = run.stream.getVideoTracks();
        track.addEventListener('ended', () => this.#run === run && this.stop({ kind: 'cameraEnded' }));
        this.device = track.getSettings().deviceId ?? '';
        const video = document.createElement('video');
        video.muted = true;
        video.playsInline = true;
        video.srcObject = run.stream;
        try {
            await video.play();
        } catch (error) {
            if (this.#run === run) {
                this.stop({ kind: 'cameraOther', detail: error.message });
            }
            return;
        }
        this.dispatchEvent(new CustomEvent('start'));
        this.#loop(run, video);
    }

    stop(error = null) {
        if (this.#run) {
            this.#end();
            this.dispatchEvent(new CustomEvent('stop', { detail: error }));
        }
    }

    // The cameras there are, once the browser has let us use one: [{ id, label }]
    async list() {
        const devices = await navigator.mediaDevices.enumerateDevices();
        return devices
            .filter((d) => d.kind === 'videoinput')
            .map((d) => ({ id: d.deviceId, label: d.label }));
    }

    #end() {
        this.#run?.controller.abort();
        this.#run?.stream?.getTracks().forEach((track) => track.stop());
        this.#run = null;
    }

    async #loop(run, video) {
        const canvases = [document.createElement('canvas'), document.createElement('canvas')];
        const rate = new Rate();
        const { signal } = run.controller;
        while (this.#run === run) {
            await visible();
            await nextFrame(video);
            if (this.#run !== run) {
                return;
            }
            // the frame that is shown stays as it is while the next one is drawn
            const canvas = canvases.reverse()[0];
            const scale = Math.min(1, LARGEST / Math.max(video.videoWidth, video.videoHeight, 1));
            canvas.width = Math.round(video.videoWidth * scale);
            canvas.height = Math.round(video.videoHeight * scale);
            canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
            const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
            try {
                const reply = blob && (await this.#ask(blob, signal));
                if (reply && this.#run === run) {
                    rate.tick(performance.now());
                    const detail = { canvas, blob, reply, rate: rate.perSecond() };
                    this.dispatchEvent(new CustomEvent('frame', { detail }));
                }
            } catch (error) {
                if (this.#run !== run) {
                    return;
                }
                if (error.kind !== 'busy') {
                    this.stop(error);
                    return;
                }
                await pause(error.retryAfter * 1000);
            }
        }
    }
}
