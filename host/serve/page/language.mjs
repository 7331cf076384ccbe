// Which language the page speaks: the one that was chosen here before, else the browser's, else English.
import en from './strings_en.mjs';
import zh from './strings_zh.mjs';

export const languages = { en, zh };
const STORED_AS = 'vkdet.language';

// The first of the wanted tags that we have: zh-Hans-CN is zh.
export function pickLanguage(stored, wanted) {
    if (Object.hasOwn(languages, stored ?? '')) {
        return stored;
    }
    const tags = wanted.map((tag) => tag.toLowerCase().split('-')[0]);
    return tags.find((tag) => Object.hasOwn(languages, tag)) ?? 'en';
}

// Storage may be switched off in a browser: the language is then forgotten, and nothing else happens.
export function rememberedLanguage() {
    let stored = null;
    try {
        stored = localStorage.getItem(STORED_AS);
    } catch {
        // as if nothing had been stored
    }
    return pickLanguage(stored, navigator.languages ?? [navigator.language]);
}

export function rememberLanguage(language) {
    try {
        localStorage.setItem(STORED_AS, language);
    } catch {
        // it holds for this visit
    }
}

// Fills every element that carries data-text (its text) or data-label (its aria-label and title).
export function translate(root, text) {
    for (const element of root.querySelectorAll('[data-text]')) {
        element.textContent = text[element.dataset.text];
    }
    for (const element of root.querySelectorAll('[data-label]')) {
        element.setAttribute('aria-label', text[element.dataset.label]);
    }
}
