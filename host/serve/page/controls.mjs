// Thresholds and model: what the server is asked with.
import { threshold } from './format.mjs';

function showSlider(slider, output) {
    const { min, max, value } = slider;
    output.textContent = threshold(Number(value));
    slider.style.setProperty('--at', `${((value - min) / (max - min)) * 100}%`);
}


export class Controls {
    #parts; // { conf, confValue, iou, iouValue, model, modelChoice, reset }
    #models = [];
    #onChange;

    // onChange() after any of them changed
    constructor(parts, onChange) {
        this.#parts = parts;
        this.#onChange = onChange;
        for (const slider of [parts.conf, parts.iou]) {
            slider.addEventListener('input', () => this.#changed());
        }
        parts.reset.addEventListener('click', () => this.#toDefaults());
        parts.model.addEventListener('change', () => this.#toDefaults());
        this.#show();
    }

    // What the server has; the choice is there when there is one.
    setModels(models, defaultName) {
        this.#models = models;
        const { model, modelChoice } = this.#parts;
        model.replaceChildren(
            ...models.map((m, i) => new Option(`${m.name} ${m.version ?? ''}`.trim(), String(i))),
        );
        model.value = String(Math.max(0, models.findIndex((m) => m.name === defaultName)));
        modelChoice.hidden = models.length < 2;
        this.#toDefaults();
    }

    get model() {
        return this.#models[Number(this.#parts.model.value)] ?? null;
    }

    get conf() {
        return Number(this.#parts.conf.value);
    }

    get iou() {
        return Number(this.#parts.iou.value);
    }

    #toDefaults() {
        if (this.model) {
            this.#parts.conf.value = String(this.model.score_threshold);
            this.#parts.iou.value = String(this.model.iou_threshold);
        }
        this.#changed();
    }

    #changed() {
        this.#show();
        this.#onChange();
    }

    #show() {
        showSlider(this.#parts.conf, this.#parts.confValue);
        showSlider(this.#parts.iou, this.#parts.iouValue);
    }
}
