/** Asking for consent, and keeping to it: a control that any interface may drive, and an element that is one. */
export { consentControl, type ConsentControl, type ConsentOptions, type ConsentStatus } from "./control.ts";
export { CONSENT_ELEMENT, defineConsentElement, type ConsentElement } from "./element.ts";
export { CONSENT_TEXTS, statusWords, type ConsentTexts } from "./words.ts";
