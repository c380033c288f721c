"""Where and how people live: countries, languages and time zones, as their standards name them."""

import re
from functools import cache
from zoneinfo import available_timezones

COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()  # noqa: SIM905  # A column of codes reads better.
)
"""ISO 3166-1 alpha-2: the 249 codes that are assigned."""

# The parts of a tag that people set: language, script, region, variants (RFC 5646, section 2.1).
LOCALE = (
    r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?(-([0-9a-z]{5,8}|[0-9][0-9a-z]{3})){0,3}"
)
"""What a language tag of BCP 47 looks like in its usual spelling, such as de-AT."""


def is_locale(text: str) -> bool:
    """Whether it looks like a language tag."""
    return re.fullmatch(LOCALE, text) is not None


def is_timezone(text: str) -> bool:
    """Whether it is a time zone of IANA's, such as Europe/Vienna."""
    return text in _timezones()


@cache
def _timezones() -> frozenset[str]:
    # Some systems list their own setting among the zones; it means another zone on each.
    return frozenset(available_timezones() - {"localtime", "Factory"})
