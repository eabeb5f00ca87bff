"""English names of the languages that speech recognition tells apart, by ISO 639-1 code, and back."""

from __future__ import annotations

_NAMES = {
    "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "as": "Assamese", "az": "Azerbaijani", "ba": "Bashkir",
    "be": "Belarusian", "bg": "Bulgarian", "bn": "Bengali", "bo": "Tibetan", "br": "Breton", "bs": "Bosnian",
    "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fo": "Faroese",
    "fr": "French", "ga": "Irish", "gl": "Galician", "gu": "Gujarati", "ha": "Hausa", "haw": "Hawaiian",
    "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "ht": "Haitian Creole", "hu": "Hungarian", "hy": "Armenian",
    "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "jv": "Javanese", "ka": "Georgian",
    "kk": "Kazakh", "km": "Khmer", "kn": "Kannada", "ko": "Korean", "la": "Latin", "lb": "Luxembourgish",
    "ln": "Lingala", "lo": "Lao", "lt": "Lithuanian", "lv": "Latvian", "mg": "Malagasy", "mi": "Maori",
    "mk": "Macedonian", "ml": "Malayalam", "mn": "Mongolian", "mr": "Marathi", "ms": "Malay", "mt": "Maltese",
    "my": "Burmese", "ne": "Nepali", "nl": "Dutch", "nn": "Nynorsk", "no": "Norwegian", "oc": "Occitan",
    "pa": "Punjabi", "pl": "Polish", "ps": "Pashto", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sa": "Sanskrit", "sd": "Sindhi", "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian", "sn": "Shona",
    "so": "Somali", "sq": "Albanian", "sr": "Serbian", "su": "Sundanese", "sv": "Swedish", "sw": "Swahili",
    "ta": "Tamil", "te": "Telugu", "tg": "Tajik", "th": "Thai", "tk": "Turkmen", "tl": "Tagalog", "tr": "Turkish",
    "tt": "Tatar", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese", "yi": "Yiddish",
    "yo": "Yoruba", "yue": "Cantonese", "zh": "Chinese",
}  # fmt: skip
_CODES = {name.lower(): code for code, name in _NAMES.items()} | {
    "castilian": "es", "chinese (mandarin)": "zh", "farsi": "fa", "fil": "tl", "filipino": "tl",
    "flemish": "nl", "haitian": "ht", "jw": "jv", "letzeburgesch": "lb", "mandarin": "zh",
    "moldavian": "ro", "moldovan": "ro", "myanmar": "my", "panjabi": "pa", "pushto": "ps", "sinhalese": "si",
    "valencian": "ca",
}  # fmt: skip
"""Besides the names, what recognisers say that is neither a name of the list nor a code."""


def language_name(code: str | None) -> str | None:
    """The English name of a language, or ``None`` where the code is missing or has none here."""
    return None if code is None else _NAMES.get(code.lower())


def language_code(said: str | None) -> str | None:
    """The code of a language as a recogniser names it: ``english``, ``EN``, ``en-US``.

    ISO 639-1, and ``yue`` and ``haw``, which have no code there. ``None`` where nothing is said; what is no known
    language is given back as it is, lower case.
    """
    plain = (said or "").strip().lower().replace("_", "-")
    if not plain:
        return None
    first = plain.partition("-")[0]
    return _CODES.get(plain) or _CODES.get(first) or (first if first in _NAMES else plain)
