
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Names of general categories and scripts, which are case-sensitive.
 */


#include "prom_re2_fold.h"
#include "prom_re2_parser.h"


static const prom_re2_extra_t  prom_re2_extra_l[] = {
    { 0x345, 0x345, 1 }, { 0, 0, 0 }
};

static const prom_re2_extra_t  prom_re2_extra_m[] = {
    { 0x399, 0x3b9, 32 }, { 0x1fbe, 0x1fbe, 1 }, { 0, 0, 0 }
};

static const prom_re2_extra_t  prom_re2_extra_common[] = {
    { 0x39c, 0x3bc, 32 }, { 0, 0, 0 }
};

static const prom_re2_extra_t  prom_re2_extra_greek[] = {
    { 0xb5, 0x345, 656 }, { 0, 0, 0 }
};


/* Ascending bytewise. */

static const prom_re2_prop_t  prom_re2_props[] = {
    { "Adlam", true, NULL },
    { "Ahom", true, NULL },
    { "Anatolian_Hieroglyphs", true, NULL },
    { "Arabic", true, NULL },
    { "Armenian", true, NULL },
    { "Avestan", true, NULL },
    { "Balinese", true, NULL },
    { "Bamum", true, NULL },
    { "Bassa_Vah", true, NULL },
    { "Batak", true, NULL },
    { "Bengali", true, NULL },
    { "Bhaiksuki", true, NULL },
    { "Bopomofo", true, NULL },
    { "Brahmi", true, NULL },
    { "Braille", true, NULL },
    { "Buginese", true, NULL },
    { "Buhid", true, NULL },
    { "C", false, NULL },
    { "Canadian_Aboriginal", true, NULL },
    { "Carian", true, NULL },
    { "Caucasian_Albanian", true, NULL },
    { "Cc", false, NULL },
    { "Cf", false, NULL },
    { "Chakma", true, NULL },
    { "Cham", true, NULL },
    { "Cherokee", true, NULL },
    { "Chorasmian", true, NULL },
    { "Cn", false, NULL },
    { "Co", false, NULL },
    { "Common", true, prom_re2_extra_common },
    { "Coptic", true, NULL },
    { "Cs", false, NULL },
    { "Cuneiform", true, NULL },
    { "Cypriot", true, NULL },
    { "Cypro_Minoan", true, NULL },
    { "Cyrillic", true, NULL },
    { "Deseret", true, NULL },
    { "Devanagari", true, NULL },
    { "Dives_Akuru", true, NULL },
    { "Dogra", true, NULL },
    { "Duployan", true, NULL },
    { "Egyptian_Hieroglyphs", true, NULL },
    { "Elbasan", true, NULL },
    { "Elymaic", true, NULL },
    { "Ethiopic", true, NULL },
    { "Georgian", true, NULL },
    { "Glagolitic", true, NULL },
    { "Gothic", true, NULL },
    { "Grantha", true, NULL },
    { "Greek", true, prom_re2_extra_greek },
    { "Gujarati", true, NULL },
    { "Gunjala_Gondi", true, NULL },
    { "Gurmukhi", true, NULL },
    { "Han", true, NULL },
    { "Hangul", true, NULL },
    { "Hanifi_Rohingya", true, NULL },
    { "Hanunoo", true, NULL },
    { "Hatran", true, NULL },
    { "Hebrew", true, NULL },
    { "Hiragana", true, NULL },
    { "Imperial_Aramaic", true, NULL },
    { "Inherited", true, prom_re2_extra_m },
    { "Inscriptional_Pahlavi", true, NULL },
    { "Inscriptional_Parthian", true, NULL },
    { "Javanese", true, NULL },
    { "Kaithi", true, NULL },
    { "Kannada", true, NULL },
    { "Katakana", true, NULL },
    { "Kawi", true, NULL },
    { "Kayah_Li", true, NULL },
    { "Kharoshthi", true, NULL },
    { "Khitan_Small_Script", true, NULL },
    { "Khmer", true, NULL },
    { "Khojki", true, NULL },
    { "Khudawadi", true, NULL },
    { "L", false, prom_re2_extra_l },
    { "LC", false, NULL },
    { "Lao", true, NULL },
    { "Latin", true, NULL },
    { "Lepcha", true, NULL },
    { "Limbu", true, NULL },
    { "Linear_A", true, NULL },
    { "Linear_B", true, NULL },
    { "Lisu", true, NULL },
    { "Ll", false, prom_re2_extra_ll },
    { "Lm", false, NULL },
    { "Lo", false, NULL },
    { "Lt", false, prom_re2_extra_lt },
    { "Lu", false, prom_re2_extra_lu },
    { "Lycian", true, NULL },
    { "Lydian", true, NULL },
    { "M", false, prom_re2_extra_m },
    { "Mahajani", true, NULL },
    { "Makasar", true, NULL },
    { "Malayalam", true, NULL },
    { "Mandaic", true, NULL },
    { "Manichaean", true, NULL },
    { "Marchen", true, NULL },
    { "Masaram_Gondi", true, NULL },
    { "Mc", false, NULL },
    { "Me", false, NULL },
    { "Medefaidrin", true, NULL },
    { "Meetei_Mayek", true, NULL },
    { "Mende_Kikakui", true, NULL },
    { "Meroitic_Cursive", true, NULL },
    { "Meroitic_Hieroglyphs", true, NULL },
    { "Miao", true, NULL },
    { "Mn", false, prom_re2_extra_m },
    { "Modi", true, NULL },
    { "Mongolian", true, NULL },
    { "Mro", true, NULL },
    { "Multani", true, NULL },
    { "Myanmar", true, NULL },
    { "N", false, NULL },
    { "Nabataean", true, NULL },
    { "Nag_Mundari", true, NULL },
    { "Nandinagari", true, NULL },
    { "Nd", false, NULL },
    { "New_Tai_Lue", true, NULL },
    { "Newa", true, NULL },
    { "Nko", true, NULL },
    { "Nl", false, NULL },
    { "No", false, NULL },
    { "Nushu", true, NULL },
    { "Nyiakeng_Puachue_Hmong", true, NULL },
    { "Ogham", true, NULL },
    { "Ol_Chiki", true, NULL },
    { "Old_Hungarian", true, NULL },
    { "Old_Italic", true, NULL },
    { "Old_North_Arabian", true, NULL },
    { "Old_Permic", true, NULL },
    { "Old_Persian", true, NULL },
    { "Old_Sogdian", true, NULL },
    { "Old_South_Arabian", true, NULL },
    { "Old_Turkic", true, NULL },
    { "Old_Uyghur", true, NULL },
    { "Oriya", true, NULL },
    { "Osage", true, NULL },
    { "Osmanya", true, NULL },
    { "P", false, NULL },
    { "Pahawh_Hmong", true, NULL },
    { "Palmyrene", true, NULL },
    { "Pau_Cin_Hau", true, NULL },
    { "Pc", false, NULL },
    { "Pd", false, NULL },
    { "Pe", false, NULL },
    { "Pf", false, NULL },
    { "Phags_Pa", true, NULL },
    { "Phoenician", true, NULL },
    { "Pi", false, NULL },
    { "Po", false, NULL },
    { "Ps", false, NULL },
    { "Psalter_Pahlavi", true, NULL },
    { "Rejang", true, NULL },
    { "Runic", true, NULL },
    { "S", false, NULL },
    { "Samaritan", true, NULL },
    { "Saurashtra", true, NULL },
    { "Sc", false, NULL },
    { "Sharada", true, NULL },
    { "Shavian", true, NULL },
    { "Siddham", true, NULL },
    { "SignWriting", true, NULL },
    { "Sinhala", true, NULL },
    { "Sk", false, NULL },
    { "Sm", false, NULL },
    { "So", false, NULL },
    { "Sogdian", true, NULL },
    { "Sora_Sompeng", true, NULL },
    { "Soyombo", true, NULL },
    { "Sundanese", true, NULL },
    { "Syloti_Nagri", true, NULL },
    { "Syriac", true, NULL },
    { "Tagalog", true, NULL },
    { "Tagbanwa", true, NULL },
    { "Tai_Le", true, NULL },
    { "Tai_Tham", true, NULL },
    { "Tai_Viet", true, NULL },
    { "Takri", true, NULL },
    { "Tamil", true, NULL },
    { "Tangsa", true, NULL },
    { "Tangut", true, NULL },
    { "Telugu", true, NULL },
    { "Thaana", true, NULL },
    { "Thai", true, NULL },
    { "Tibetan", true, NULL },
    { "Tifinagh", true, NULL },
    { "Tirhuta", true, NULL },
    { "Toto", true, NULL },
    { "Ugaritic", true, NULL },
    { "Vai", true, NULL },
    { "Vithkuqi", true, NULL },
    { "Wancho", true, NULL },
    { "Warang_Citi", true, NULL },
    { "Yezidi", true, NULL },
    { "Yi", true, NULL },
    { "Z", false, NULL },
    { "Zanabazar_Square", true, NULL },
    { "Zl", false, NULL },
    { "Zp", false, NULL },
    { "Zs", false, NULL }
};


const prom_re2_prop_t *
prom_re2_prop_find(prom_str_t name)
{
    int                     rc;
    size_t                  lo, hi, mid;
    prom_str_t              str;
    const prom_re2_prop_t  *prop;

    lo = 0;
    hi = sizeof(prom_re2_props) / sizeof(prom_re2_props[0]);

    while (lo < hi) {
        mid = (lo + hi) / 2;
        prop = &prom_re2_props[mid];

        str.data = (const uint8_t *) prop->name;
        str.len = strlen(prop->name);

        rc = prom_str_cmp(name, str);

        if (rc == 0) {
            return prop;
        }

        if (rc > 0) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return NULL;
}
