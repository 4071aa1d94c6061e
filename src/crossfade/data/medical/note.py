"""The clinical note: a grammar with synonyms, negations, hedges and facts that do not matter.

One sentence tells the pattern. Others deny what is not the pattern, or report what has nothing to do with it
(a relative's tumour is not the patient's). About 20 to 60 words of English.
"""

from __future__ import annotations

import re

import numpy as np

# {a|b} is one of a, b. Every pattern has sentences of its own, in words that other patterns share in part.
TELLING: dict[str, tuple[str, ...]] = {
    "incidental": (
        "The lesion {was found by chance|is an incidental finding} at a {check-up|screening examination}.",
        "{Asymptomatic|Without symptoms}, {found incidentally|discovered by chance} {before gallbladder surgery|"
        "during a work-up for kidney stones}.",
        "Incidental {finding|lesion} on {routine imaging|a screening scan}, {feels well|asymptomatic}.",
    ),
    "pain": (
        "{Dull|Vague|Intermittent} pain {below the right ribs|in the right upper quadrant} for {some weeks|months}.",
        "{Complains of|Reports} {epigastric|right-sided abdominal} {discomfort|pain}, {worse after meals|"
        "worse when lying on the right side}.",
        "{Feeling of pressure|Fullness and discomfort} in the right upper abdomen.",
    ),
    "fever": (
        "{Spiking temperatures|Fever} with {rigors|shaking chills} for {three|five|ten} days.",
        "{Febrile|Septic} on admission, {with rigors|shivering}, after {diverticulitis|an appendicitis|cholangitis}.",
        "{High|Swinging} fever and {night sweats|shaking chills} since {Sunday|last week}.",
    ),
    "known_primary": (
        "{History of|Known} {colorectal|breast|pancreatic} carcinoma, {resected|treated} {two|three|four} years ago.",
        "{Under follow-up|On chemotherapy} for {colon|breast|lung} carcinoma {stage II|stage III|with positive nodes}.",
        "Staging of a {newly diagnosed|recurrent} {rectal|gastric|pancreatic} adenocarcinoma.",
    ),
    "chronic_liver": (
        "{Cirrhosis|Advanced fibrosis} due to {hepatitis C|hepatitis B|alcohol|steatohepatitis}.",
        "{Chronic|Long-standing} {hepatitis B|hepatitis C} {with cirrhosis|under surveillance|with ascites}.",
        "{Under surveillance for|Known} {cirrhosis, Child-Pugh A|cirrhosis, Child-Pugh B} with {varices|ascites}.",
    ),
    "hormones": (
        "{Has taken|On} {hormone therapy|hormonal treatment|steroid hormones} for {several|many} years.",
        "{Long-term|Continuous} {hormone therapy|hormonal treatment}, {stopped last month|ongoing}.",
        "Medication: {steroid hormones|hormonal treatment} {since youth|for years}.",
    ),
}
DENIED: dict[str, tuple[str, ...]] = {
    "pain": ("{Denies|No} abdominal pain.", "{Abdomen soft, not tender|No tenderness}."),
    "fever": ("{No|Denies} fever{| or chills}.", "{Afebrile|No fever} {at home|on the ward}."),
    "known_primary": ("No {history of malignancy|previous malignancy|known tumour}.", "Never treated for cancer."),
    "chronic_liver": ("No {known liver disease|history of liver disease}.", "{Drinks little|No} alcohol."),
    "hormones": ("{Takes no|No} regular medication.", "No hormones."),
}
BESIDE = (
    "{Mother|Father|Sister|Uncle} had {breast|colon|prostate} cancer.",
    "{Allergic to|Does not tolerate} {penicillin|iodine|latex}.",
    "{Appendicectomy|Tonsillectomy|Knee surgery} {in childhood|in 1998|years ago}.",
    "{Well controlled|Treated} {hypertension|hypothyroidism|asthma}.",
    "{Works as|Retired} {a teacher|a nurse|a driver|an engineer}{|, lives alone|, lives with family}.",
    "{Travelled to|Back from} {Spain|Greece|Norway} {last summer|in spring}.",
    "{Sleeps|Eats} well, {weight stable|appetite good}.",
    "{Wears a pacemaker|No pacemaker}, {kidney function normal|claustrophobic}.",
)
OPENING = (
    "{age}-year-old {sex}{| referred by the general practitioner| seen in clinic}.",
    "{Patient|Pt}: {sex}, {age} years.",
    "{sex} of {age} years{|, referred for imaging|, for second opinion}.",
)
CLOSING = (
    "{Focal liver lesion, please characterise|Please characterise the liver lesion}.",
    "{Liver lesion|Lesion of the right lobe}: nature?",
    "Question: {what is the lesion|further work-up of the liver lesion}?",
)
HEDGES = ("Probably: ", "As far as known: ", "Apparently: ", "According to the referral: ")

_CHOICE = re.compile(r"\{([^{}]*\|[^{}]*)\}")


def expand(template: str, rng: np.random.Generator) -> str:
    """One sentence of a template: each {a|b} becomes one of its options, evenly."""
    return _CHOICE.sub(lambda found: _pick(found.group(1).split("|"), rng), template)


def _pick(options: list[str] | tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _misspell(text: str, rate: float, rng: np.random.Generator) -> str:
    """Every word longer than five letters loses an inner letter with this probability."""
    words = text.split(" ")
    for place, word in enumerate(words):
        if rng.random() < rate and len(word) > 5 and word.isalpha():
            cut = int(rng.integers(1, len(word) - 1))
            words[place] = word[:cut] + word[cut + 1 :]
    return " ".join(words)


def write(pattern: str, age: float, sex: str, noise: float, rng: np.random.Generator) -> str:
    """The note of one patient; `age` in years, `sex` "female" | "male".

    `noise` multiplies the number of facts that do not matter (one to three, five at most), the share of hedged
    sentences (15 %) and of misspelt long words (1 %).
    """
    opening = expand(_pick(OPENING, rng), rng)
    person = "woman" if sex == "female" else "man"
    opening = opening.replace("{age}", f"{age:.0f}").replace("{sex}", person)
    telling = expand(_pick(TELLING[pattern], rng), rng)
    if rng.random() < 0.15 * noise:
        telling = _pick(HEDGES, rng) + telling[0].lower() + telling[1:]
    others = [name for name in DENIED if name != pattern]
    denials = [expand(_pick(DENIED[others[k]], rng), rng) for k in rng.permutation(len(others))[:2]]
    beside = min(round(noise * rng.uniform(1, 3)), 5)
    facts = [expand(BESIDE[k], rng) for k in rng.permutation(len(BESIDE))[:beside]]
    body = [telling, *denials, *facts]
    body = [body[k] for k in rng.permutation(len(body))]
    text = " ".join([opening, *body, expand(_pick(CLOSING, rng), rng)])
    return _misspell(text[0].upper() + text[1:], min(0.01 * noise, 1.0), rng)
