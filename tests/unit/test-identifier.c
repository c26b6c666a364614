/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Identifiers: 12 hexadecimal digits that hold a tag or an ISID. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "common/macro.h"
#include "common/identifier.h"

typedef struct Case {
        const char *text;
        uint64_t value;
        const char *canonical; /* NULL: TEXT is refused, for a reason that has REASON in it */
        const char *reason;
} Case;

#define GOOD(text, value, canonical) \
        { text, value, canonical, NULL }
#define BAD(text, reason) \
        { text, 0, NULL, reason }

static const Case of_both_roles[] = {
        GOOD("000000000000", 0x0, "000000000000"),
        GOOD("000000000001", 0x1, "000000000001"),
        GOOD("000000000010", 0x10, "000000000010"), /* hexadecimal, not decimal */
        GOOD("00000000000a", 0xA, "00000000000A"),
        GOOD("00000000000A", 0xA, "00000000000A"),
        GOOD("00000000aBcD", 0xABCD, "00000000ABCD"),
        GOOD("00000000ffff", 0xFFFF, "00000000FFFF"),
        GOOD("00000000FFFF", 0xFFFF, "00000000FFFF"),
        BAD("", "12 hexadecimal digits"),
        BAD("0", "12 hexadecimal digits"),
        BAD("1", "12 hexadecimal digits"),
        BAD("00000000001", "12 hexadecimal digits"),
        BAD("0000000000001", "12 hexadecimal digits"), /* 13, what CIM's MaxLen would let pass */
        BAD("00000000000001", "12 hexadecimal digits"),
        BAD("00000000000g", "12 hexadecimal digits"),
        BAD("00000000000G", "12 hexadecimal digits"),
        BAD("g00000000001", "12 hexadecimal digits"),
        BAD("0x0000000001", "12 hexadecimal digits"),
        BAD("0X0000000001", "12 hexadecimal digits"),
        BAD("+00000000001", "12 hexadecimal digits"),
        BAD("-00000000001", "12 hexadecimal digits"),
        BAD(" 00000000001", "12 hexadecimal digits"),
        BAD("00000000001 ", "12 hexadecimal digits"),
        BAD("00000000001\n", "12 hexadecimal digits"),
        BAD("000000 00001", "12 hexadecimal digits"),
        BAD("00:00:00:00:", "12 hexadecimal digits"),
        BAD("00000000000/", "12 hexadecimal digits"), /* the neighbours of the digits' ranges */
        BAD("00000000000:", "12 hexadecimal digits"),
        BAD("00000000000@", "12 hexadecimal digits"),
        BAD("00000000000`", "12 hexadecimal digits"),
        BAD("00000000000０", "12 hexadecimal digits"), /* a digit, but not of ASCII */
        BAD("000000０", "12 hexadecimal digits"),
};

static const Case of_targets[] = {
        GOOD("00000000FFFE", 0xFFFE, "00000000FFFE"), BAD("000000010000", "tag of 16 bits"),
        BAD("000000010001", "tag of 16 bits"),        BAD("000100000000", "tag of 16 bits"), /* its lower 32 bits would be good */
        BAD("100000000000", "tag of 16 bits"),        BAD("00023D000001", "tag of 16 bits"),
        BAD("FFFFFFFFFFFF", "tag of 16 bits"),        BAD("7FFFFFFFFFFF", "tag of 16 bits"),
};

/* T (2 bits), A (6), B (16), C (8), D (16): RFC 7143 §11.12.5. */
static const Case of_initiators[] = {
        GOOD("000000010000", 0x10000, "000000010000"),
        GOOD("00023D000001", 0x00023D000001, "00023D000001"), /* what open-iscsi uses */
        GOOD("00023d000001", 0x00023D000001, "00023D000001"),
        /* T 00b: A is a part of the OUI */
        GOOD("010000000000", 0x010000000000, "010000000000"),
        GOOD("3F0000000000", 0x3F0000000000, "3F0000000000"),
        GOOD("3fffffffffff", 0x3FFFFFFFFFFF, "3FFFFFFFFFFF"),
        /* T 01b: A is reserved */
        GOOD("400000000000", 0x400000000000, "400000000000"),
        GOOD("400000000001", 0x400000000001, "400000000001"),
        GOOD("40ffffffffff", 0x40FFFFFFFFFF, "40FFFFFFFFFF"),
        BAD("410000000000", "A field"),
        BAD("420000000000", "A field"),
        BAD("440000000000", "A field"),
        BAD("480000000000", "A field"),
        BAD("500000000000", "A field"),
        BAD("600000000000", "A field"),
        BAD("7FFFFFFFFFFF", "A field"),
        /* T 10b: as 01b */
        GOOD("800000000000", 0x800000000000, "800000000000"),
        GOOD("800000000001", 0x800000000001, "800000000001"),
        GOOD("80FFFFFFFFFF", 0x80FFFFFFFFFF, "80FFFFFFFFFF"),
        BAD("810000000000", "A field"),
        BAD("900000000000", "A field"),
        BAD("a00000000000", "A field"),
        BAD("BFFFFFFFFFFF", "A field"),
        /* T 11b: reserved */
        BAD("C00000000000", "T field"),
        BAD("c00000000001", "T field"),
        BAD("C10000000000", "T field"),
        BAD("DFFFFFFFFFFF", "T field"),
        BAD("E00000000000", "T field"),
        BAD("FFFFFFFFFFFF", "T field"),
};

static void check_case(const Case *c, uint16_t role) {
        const uint64_t untouched = 0x5A5A5A5A5A5A5A5Aull;
        g_autofree char *escaped = g_strescape(c->text, NULL);
        char buf[IDENTIFIER_DIGITS + 1];
        const char *reason = NULL;
        uint64_t v = untouched;
        int r;

        g_test_message("role %u \"%s\"", role, escaped);
        r = identifier_from_text(c->text, role, &v, &reason);

        if (!c->canonical) {
                g_assert_cmpint(r, ==, -EINVAL);
                g_assert_nonnull(reason);
                g_assert_nonnull(strstr(reason, c->reason));
                g_assert_cmpuint(v, ==, untouched);
                return;
        }

        g_assert_cmpint(r, ==, 0);
        g_assert_cmpuint(v, ==, c->value);
        g_assert_true(identifier_to_text(v, buf) == buf);
        g_assert_cmpstr(buf, ==, c->canonical);

        v = untouched;
        g_assert_cmpint(identifier_from_text(buf, role, &v, &reason), ==, 0);
        g_assert_cmpuint(v, ==, c->value);
}

static void test_tags(void) {
        for (size_t i = 0; i < ELEMENTSOF(of_both_roles); i++)
                check_case(of_both_roles + i, ROLE_TARGET);
        for (size_t i = 0; i < ELEMENTSOF(of_targets); i++)
                check_case(of_targets + i, ROLE_TARGET);
}

static void test_isids(void) {
        for (size_t i = 0; i < ELEMENTSOF(of_both_roles); i++)
                check_case(of_both_roles + i, ROLE_INITIATOR);
        for (size_t i = 0; i < ELEMENTSOF(of_initiators); i++)
                check_case(of_initiators + i, ROLE_INITIATOR);
}

/* Each value of the byte that holds T and A, against RFC 7143's table of T. */
static void test_type_byte(void) {
        for (unsigned byte = 0; byte <= 0xFF; byte++) {
                g_autofree char *text = g_strdup_printf("%02x12345678Ab", byte);
                unsigned t = byte >> 6, a = byte & 0x3F;
                const char *reason;
                uint64_t v;
                int r;

                r = identifier_from_text(text, ROLE_INITIATOR, &v, &reason);
                g_assert_cmpint(r, ==, t == 0 || (t < 3 && a == 0) ? 0 : -EINVAL);
                if (r == 0)
                        g_assert_cmpuint(v, ==, ((uint64_t) byte << 40) | 0x12345678ABull);
        }
}

/* Each byte but NUL, at each place. */
static void test_every_byte(void) {
        for (unsigned c = 1; c <= 0xFF; c++)
                for (unsigned at = 0; at < IDENTIFIER_DIGITS; at++) {
                        char text[] = "000000000000";
                        const char *reason;
                        uint64_t v;

                        text[at] = (char) c;
                        if (c < 0x80 && g_ascii_isxdigit((char) c)) {
                                int expected = at < 8 && c != '0' ? -EINVAL : 0;

                                g_assert_cmpint(identifier_from_text(text, ROLE_TARGET, &v, &reason), ==, expected);
                        } else {
                                g_assert_cmpint(identifier_from_text(text, ROLE_TARGET, &v, &reason), ==, -EINVAL);
                                g_assert_cmpint(identifier_from_text(text, ROLE_INITIATOR, &v, &reason), ==, -EINVAL);
                        }
                }
}

/* Those that a user tells apart by their case are one number. */
static void test_same_number(void) {
        static const char *const pairs[][2] = {
                { "00000000000a", "00000000000A" },
                { "00000000abcd", "00000000AbCd" },
                { "00023dabcdef", "00023DABCDEF" },
        };

        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                const char *reason;
                uint64_t a, b;

                g_assert_cmpint(identifier_from_text(pairs[i][0], ROLE_INITIATOR, &a, &reason), ==, 0);
                g_assert_cmpint(identifier_from_text(pairs[i][1], ROLE_INITIATOR, &b, &reason), ==, 0);
                g_assert_cmpuint(a, ==, b);
        }
}

/* Every tag there is. */
static void test_every_tag(void) {
        for (uint64_t tag = 0; tag <= TAG_MAX; tag++) {
                char buf[IDENTIFIER_DIGITS + 1];
                const char *reason;
                uint64_t v;

                g_assert_cmpuint(strlen(identifier_to_text(tag, buf)), ==, IDENTIFIER_DIGITS);
                g_assert_cmpint(identifier_from_text(buf, ROLE_TARGET, &v, &reason), ==, 0);
                g_assert_cmpuint(v, ==, tag);
        }
}

static void test_text_fits(void) {
        char buf[IDENTIFIER_DIGITS + 1];

        g_assert_cmpstr(identifier_to_text(0xFFFFFFFFFFFFull, buf), ==, "FFFFFFFFFFFF");
        /* More than 48 bits cannot be: the buffer is not overrun even so. */
        g_assert_cmpstr(identifier_to_text(UINT64_MAX, buf), ==, "FFFFFFFFFFFF");
        g_assert_cmpstr(identifier_to_text(0x1000000000001ull, buf), ==, "000000000001");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/identifier/tags", test_tags);
        g_test_add_func("/identifier/isids", test_isids);
        g_test_add_func("/identifier/type-byte", test_type_byte);
        g_test_add_func("/identifier/every-byte", test_every_byte);
        g_test_add_func("/identifier/same-number", test_same_number);
        g_test_add_func("/identifier/every-tag", test_every_tag);
        g_test_add_func("/identifier/text-fits", test_text_fits);
        return g_test_run();
}
