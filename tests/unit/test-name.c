/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* iSCSI names: the profile of RFC 3722, the structure of each type, generated names and port names. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "common/macro.h"
#include "common/identifier.h"
#include "common/name.h"

#define DOMAIN "iqn.2001-04.com.example"

/* What refusals speak of. */
#define CHARACTER "RFC 3722 does not allow"
#define STABLE "no stable normal form"
#define LENGTH "longer than 223"
#define TYPE "none of \"iqn.\", \"eui.\" and \"naa.\""
#define DATE "date yyyy-mm"
#define MONTH "none of 01 to 12"
#define AUTHORITY "naming authority's domain"
#define COLON "follow the colon"
#define EUI "exactly 16 hexadecimal"
#define NAA "exactly 16 or 32 hexadecimal"

static const struct {
        const char *input, *name;
} good[] = {
        /* RFC 7143 §4.2.7.4 to §4.2.7.6, examples of the RFC among them */
        { "iqn.2001-04.com.example:diskarrays-sn-a8675309", "iqn.2001-04.com.example:diskarrays-sn-a8675309" },
        { "iqn.2001-04.com.example", "iqn.2001-04.com.example" },
        { "iqn.2001-04.com.example:storage.tape1.sys1.xyz", "iqn.2001-04.com.example:storage.tape1.sys1.xyz" },
        { "iqn.2001-04.com.example:storage:disk1", "iqn.2001-04.com.example:storage:disk1" },
        { "iqn.2001-04.com", "iqn.2001-04.com" },
        { "iqn.2001-01.a", "iqn.2001-01.a" },
        { "iqn.2001-12.com.example:a", "iqn.2001-12.com.example:a" },
        { "iqn.1999-09.com.example:a", "iqn.1999-09.com.example:a" },
        { "iqn.2001-04.com.3-example.x--y:a", "iqn.2001-04.com.3-example.x--y:a" },
        { DOMAIN "::", DOMAIN "::" },
        { DOMAIN ":.", DOMAIN ":." },
        { DOMAIN ":-", DOMAIN ":-" },
        { DOMAIN ":a.", DOMAIN ":a." },
        { DOMAIN ":a:", DOMAIN ":a:" },
        { "eui.02004567a425678d", "eui.02004567a425678d" },
        { "eui.02004567A425678D", "eui.02004567a425678d" },
        { "naa.52004567ba64678d", "naa.52004567ba64678d" },
        { "naa.52004567BA64678D", "naa.52004567ba64678d" },
        { "naa.62004567ba64678d0123456789abcdef", "naa.62004567ba64678d0123456789abcdef" },

        /* folding: RFC 3454 B.2 */
        { "IQN.2001-04.COM.EXAMPLE:A", "iqn.2001-04.com.example:a" },
        { "IqN.2001-04.cOm.ExAmPlE:sTrAsSe", "iqn.2001-04.com.example:strasse" },
        { "IQN.2001-04.COM.EXAMPLE:Straße", "iqn.2001-04.com.example:strasse" },
        { "EUI.02004567A425678D", "eui.02004567a425678d" },
        { "NAA.52004567BA64678D", "naa.52004567ba64678d" },
        { DOMAIN ":ÄÖÜ", DOMAIN ":äöü" },
        { DOMAIN ":ΣΊΣΥΦΟΣ", DOMAIN ":σίσυφοσ" },
        { DOMAIN ":ДИСК", DOMAIN ":диск" },
        { DOMAIN ":\u212A", DOMAIN ":k" },       /* KELVIN SIGN */
        { DOMAIN ":\u0130", DOMAIN ":i\u0307" }, /* I WITH DOT ABOVE: longer than before */

        /* mapped to nothing: B.1 */
        { DOMAIN ":a\u00ADb", DOMAIN ":ab" }, /* SOFT HYPHEN */
        { DOMAIN ":a\u200Bb", DOMAIN ":ab" }, /* ZERO WIDTH SPACE */
        { "\uFEFFiqn.2001-04.com.example:a", "iqn.2001-04.com.example:a" },

        /* NFKC */
        { "ｉｑｎ.2001-04.com.example:a", "iqn.2001-04.com.example:a" },
        { "ＩＱＮ．２００１－０４．ＣＯＭ．ＥＸＡＭＰＬＥ：Ａ", "iqn.2001-04.com.example:a" },
        { DOMAIN ":a\u0308", DOMAIN ":\u00E4" }, /* composed */
        { DOMAIN ":\uFB01", DOMAIN ":fi" },      /* LATIN SMALL LIGATURE FI */
        { DOMAIN ":x\u00B2", DOMAIN ":x2" },
        { DOMAIN ":ｶﾞ", DOMAIN ":ガ" },
        { DOMAIN ":ディスク", DOMAIN ":ディスク" },
};

static const struct {
        const char *input, *reason;
} bad[] = {
        { "", TYPE },
        { "iqn", TYPE },
        { "iqn2001-04.com.example:a", TYPE },
        { "iqm.2001-04.com.example:a", TYPE },
        { "xiqn.2001-04.com.example:a", TYPE },
        { "iscsi.2001-04.com.example:a", TYPE },
        { ".", TYPE },
        { "2001-04.com.example:a", TYPE },
        { "wwn.52004567ba64678d", TYPE },

        { "iqn.", DATE },
        { "iqn..com.example", DATE },
        { "iqn.com.example:a", DATE },
        { "iqn.2001", DATE },
        { "iqn.2001-", DATE },
        { "iqn.2001-0", DATE },
        { "iqn.2001-04", DATE },
        { "iqn.2001-04:a", DATE },
        { "iqn.2001-4.com.example:a", DATE },
        { "iqn.2001-004.com.example:a", DATE },
        { "iqn.201-04.com.example:a", DATE },
        { "iqn.20011-04.com.example:a", DATE },
        { "iqn.200104.com.example:a", DATE },
        { "iqn.2001.04.com.example:a", DATE },
        { "iqn.2001--04.com.example:a", DATE },
        { "iqn.200a-04.com.example:a", DATE },
        { "iqn.2001-0a.com.example:a", DATE },
        { "iqn.２００１-04-com:a", DATE },

        { "iqn.2001-00.com.example:a", MONTH },
        { "iqn.2001-13.com.example:a", MONTH },
        { "iqn.2001-20.com.example:a", MONTH },
        { "iqn.2001-99.com.example:a", MONTH },

        { "iqn.2001-04.", AUTHORITY },
        { "iqn.2001-04.:a", AUTHORITY },
        { "iqn.2001-04..com:a", AUTHORITY },
        { "iqn.2001-04.com..example:a", AUTHORITY },
        { "iqn.2001-04.com.example.", AUTHORITY },
        { "iqn.2001-04.com.example.:a", AUTHORITY },
        { "iqn.2001-04.-com:a", AUTHORITY },
        { "iqn.2001-04.com-:a", AUTHORITY },
        { "iqn.2001-04.com.-example", AUTHORITY },
        { "iqn.2001-04.com.example-", AUTHORITY },
        { "iqn.2001-04.-", AUTHORITY },
        { "iqn.2001-04.com.müller:a", AUTHORITY },
        { DOMAIN ":", COLON },
        { "iqn.2001-04.com:", COLON },

        { "eui.", EUI },
        { "eui.02004567a425678", EUI },
        { "eui.02004567a425678d0", EUI },
        { "eui.02004567a425678d02004567a425678d", EUI },
        { "eui.02004567a425678g", EUI },
        { "eui.02004567a425678-", EUI },
        { "eui.02004567a425678d:", EUI },
        { "naa.", NAA },
        { "naa.52004567ba64678", NAA },
        { "naa.52004567ba64678d0", NAA },
        { "naa.62004567ba64678d0123456789abcde", NAA },
        { "naa.62004567ba64678d0123456789abcdef0", NAA },
        { "naa.g2004567ba64678d", NAA },
        { "naa.62004567ba64678d0123456789abcdeg", NAA },
        { "naa.52004567ba64678d.", NAA },

        /* prohibited: RFC 3722 §6 and RFC 3454 C */
        { "iqn.2001-04.com.exa mple:a", CHARACTER },
        { " iqn.2001-04.com.example:a", CHARACTER },
        { "iqn.2001-04.com.example:a ", CHARACTER },
        { DOMAIN ":a b", CHARACTER },
        { DOMAIN ":a\tb", CHARACTER },
        { DOMAIN ":a\n", CHARACTER },
        { DOMAIN ":a\x1b[31m", CHARACTER },
        { DOMAIN ":a_b", CHARACTER },
        { DOMAIN ":a,t,0x0001", CHARACTER },
        { "iqn.2001-04.com.ex_ample", CHARACTER },
        { DOMAIN ":a\u3002b", CHARACTER },     /* IDEOGRAPHIC FULL STOP */
        { DOMAIN ":a\uFF61b", CHARACTER },     /* its half-width form */
        { DOMAIN ":a\u00A0b", CHARACTER },     /* NO-BREAK SPACE */
        { DOMAIN ":a\u3000b", CHARACTER },     /* IDEOGRAPHIC SPACE */
        { DOMAIN ":a\u2003b", CHARACTER },     /* EM SPACE */
        { DOMAIN ":a\xc2\x85z", CHARACTER },   /* a control character */
        { DOMAIN ":a\u2028b", CHARACTER },     /* LINE SEPARATOR */
        { DOMAIN ":a\u202Eb", CHARACTER },     /* RIGHT-TO-LEFT OVERRIDE */
        { DOMAIN ":a\uE000b", CHARACTER },     /* private use */
        { DOMAIN ":a\uFFFDb", CHARACTER },     /* REPLACEMENT CHARACTER */
        { DOMAIN ":a\uFDD0b", CHARACTER },     /* not a character */
        { DOMAIN ":a\u2FF0b", CHARACTER },     /* IDEOGRAPHIC DESCRIPTION CHARACTER */
        { DOMAIN ":a\U000E0001b", CHARACTER }, /* LANGUAGE TAG */
        { DOMAIN ":a，b", CHARACTER },         /* a comma after NFKC */
        { DOMAIN ":a／b", CHARACTER },
        { DOMAIN ":\uFDFA", CHARACTER }, /* one ligature that becomes 18 letters and three blanks */
        { DOMAIN ":\u0221", CHARACTER }, /* unassigned in Unicode 3.2 */
        { DOMAIN ":\u0560", CHARACTER },
        { DOMAIN ":\U0001F600", CHARACTER },
        { DOMAIN ":\u1E9E", CHARACTER }, /* CAPITAL SHARP S came with Unicode 5.1 */

        /* bidirectional: RFC 3454 §6: with a right-to-left letter in it, the first and the last must be such */
        { DOMAIN ":\u05D0", CHARACTER },
        { DOMAIN ":\u0627\u0644", CHARACTER },

        /* Unicode's public review issue 29: composed across a mark, the marks are in the wrong order then */
        { DOMAIN ":\u1100\u0308\u1161\u0338", STABLE },
        { DOMAIN ":\uAC00\u0327\u11A8\u0338", STABLE },
        { DOMAIN ":\u1100\uFF9E\u1161\u0338", STABLE },

        /* what is not UTF-8 */
        { DOMAIN ":\xff", CHARACTER },
        { DOMAIN ":\xc3", CHARACTER },
        { DOMAIN ":\xc0\xaf", CHARACTER },
        { DOMAIN ":\xed\xa0\x80", CHARACTER },
        { DOMAIN ":a\xe3\x80", CHARACTER },
};

/* Names of all kinds, as a line of ASCII. */
static void say(const char *name) {
        g_autofree char *escaped = g_strescape(name, NULL);

        g_test_message("\"%s\"", escaped);
}

static void assert_good(const char *input, const char *expected) {
        _cleanup_free_ char *name = NULL, *again = NULL;
        const char *reason = NULL;
        int r;

        say(input);
        r = iscsi_name_normalize(input, &name, &reason);
        if (r < 0)
                g_test_message("%s", reason);
        g_assert_cmpint(r, ==, 0);
        g_assert_cmpstr(name, ==, expected);
        g_assert_cmpuint(strlen(name), <=, ISCSI_NAME_MAX);

        g_assert_cmpint(iscsi_name_normalize(name, &again, &reason), ==, 0);
        g_assert_cmpstr(again, ==, name);
}

static void assert_bad(const char *input, const char *expected) {
        char untouched, *name = &untouched;
        const char *reason = NULL;
        int r;

        say(input);
        r = iscsi_name_normalize(input, &name, &reason);
        g_assert_cmpint(r, ==, -EINVAL);
        g_assert_true(name == &untouched);
        g_assert_nonnull(reason);
        if (!strstr(reason, expected))
                g_test_message("not \"%s\", but: %s", expected, reason);
        g_assert_nonnull(strstr(reason, expected));
}

static void test_good(void) {
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_good(good[i].input, good[i].name);
}

static void test_bad(void) {
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_bad(bad[i].input, bad[i].reason);
}

/* Each byte of ASCII alone, in the free part, where structure asks for nothing, and in the domain. */
static void test_ascii(void) {
        for (unsigned c = 1; c < 0x80; c++) {
                g_autofree char *free_part = g_strdup_printf(DOMAIN ":a%cb", (char) c);
                g_autofree char *domain = g_strdup_printf("iqn.2001-04.com.a%cb", (char) c);
                g_autofree char *free_lower = g_ascii_strdown(free_part, -1), *domain_lower = g_ascii_strdown(domain, -1);

                if (g_ascii_isalnum((char) c) || strchr("-.:", (int) c)) {
                        assert_good(free_part, free_lower);
                        assert_good(domain, domain_lower);
                } else {
                        /* RFC 3722 §6: 0000-002C, 002F, 003B-0040, 005B-0060, 007B-007F */
                        g_assert_true(c <= 0x2C || c == 0x2F || (c >= 0x3B && c <= 0x40) || (c >= 0x5B && c <= 0x60) ||
                                      c >= 0x7B);
                        assert_bad(free_part, CHARACTER);
                        assert_bad(domain, CHARACTER);
                }
        }
}

/* A name of so many bytes, the last of them N times FILL. */
static char *padded(const char *prefix, const char *fill, size_t n) {
        GString *s = g_string_new(prefix);

        for (size_t i = 0; i < n; i++)
                g_string_append(s, fill);
        return g_string_free(s, FALSE);
}

static void test_length(void) {
        static const char prefix[] = DOMAIN ":";
        size_t room = ISCSI_NAME_MAX - strlen(prefix);

        for (size_t n = room - 1; n <= room + 1; n++) {
                g_autofree char *name = padded(prefix, "a", n), *domain = padded("iqn.2001-04.", "a", n + strlen(prefix) - 12);

                g_assert_cmpuint(strlen(name), ==, strlen(domain));
                if (n <= room) {
                        assert_good(name, name);
                        assert_good(domain, domain);
                } else {
                        assert_bad(name, LENGTH);
                        assert_bad(domain, LENGTH);
                }
        }

        /* Letters of two bytes: 222, 224. */
        for (size_t n = 0; n < 2; n++) {
                g_autofree char *name = padded("iqn.2001-04.com.example.a:", "ä", 98 + n);

                g_assert_cmpuint(strlen(name), ==, 222 + 2 * n);
                if (n == 0)
                        assert_good(name, name);
                else
                        assert_bad(name, LENGTH);
        }
}

/* What counts is the length of the result. */
static void test_length_after_folding(void) {
        static const char prefix[] = DOMAIN ":";
        size_t room = ISCSI_NAME_MAX - strlen(prefix);
        g_autofree char *result = padded(prefix, "a", room);
        static const char *const shrinking[] = { "ａ", "Ａ", "\U0001D41A", "\U0001D400" }; /* three and four bytes for an "a" */

        for (size_t i = 0; i < ELEMENTSOF(shrinking); i++) {
                g_autofree char *fits = padded(prefix, shrinking[i], room), *more = padded(prefix, shrinking[i], room + 1);

                assert_good(fits, result);
                assert_bad(more, LENGTH);
        }

        {
                /* I WITH DOT ABOVE: two bytes become three. */
                g_autofree char *fits = padded(prefix, "\u0130", room / 3), *more = padded(prefix, "\u0130", room / 3 + 1);
                g_autofree char *folded = padded(prefix, "i\u0307", room / 3);

                assert_good(fits, folded);
                g_assert_cmpuint(strlen(more), <, ISCSI_NAME_MAX);
                assert_bad(more, LENGTH);
        }

        {
                /* SQUARE MEETORU and the like: 3 bytes become 12, more than any buffer has room for. */
                g_autofree char *square = padded(prefix, "\u334D", 250);

                assert_bad(square, LENGTH);
        }
}

static void test_endless(void) {
        static const size_t lengths[] = { 300, 891, 892, 893, 894, 1000, 65536, 1024 * 1024 };

        for (size_t i = 0; i < ELEMENTSOF(lengths); i++) {
                g_autofree char *name = padded("", "a", lengths[i]), *wide = padded("", "ä", lengths[i] / 2);
                const char *reason = NULL;
                char *ret;

                g_assert_cmpint(iscsi_name_normalize(name, &ret, &reason), ==, -EINVAL);
                g_assert_cmpstr(reason, ==, "it is longer than 223 bytes");
                g_assert_cmpint(iscsi_name_normalize(wide, &ret, &reason), ==, -EINVAL);
                g_assert_cmpstr(reason, ==, "it is longer than 223 bytes");
        }
}

/* Every character there is: what comes out is one that comes out unchanged, and is allowed and small. */
static void test_every_character(void) {
        unsigned n_good = 0, n_changed = 0;

        for (gunichar c = 1; c <= 0x10FFFF; c++) {
                _cleanup_free_ char *name = NULL, *again = NULL;
                char utf8[8] = {}, input[64];
                const char *reason;

                if (c == 0xD800)
                        c = 0xE000;
                /* Where there are only Han, no characters or private ones, some are enough. */
                if (((c >= 0x20000 && c < 0x2F800) || c >= 0x30000) && c % 251 != 0)
                        continue;

                utf8[g_unichar_to_utf8(c, utf8)] = '\0';
                (void) g_snprintf(input, sizeof(input), DOMAIN ":%s", utf8);
                if (iscsi_name_normalize(input, &name, &reason) < 0)
                        continue;

                n_good++;
                n_changed += strcmp(name, input) != 0;
                g_assert_true(g_utf8_validate(name, -1, NULL));
                g_assert_null(strpbrk(name, " ,/_\"'\\%<>"));
                if (iscsi_name_normalize(name, &again, &reason) < 0 || strcmp(again, name) != 0) {
                        g_test_message("U+%04X becomes \"%s\", and that \"%s\"", c, name, again ? again : reason);
                        g_test_fail();
                }
        }

        g_assert_cmpuint(n_good, >, 40000); /* most are Han and Hangul */
        g_assert_cmpuint(n_changed, >, 2000);
}

/* Strings of characters that folding and NFKC treat together. */
static void test_random_names(void) {
        static const gunichar interesting[] = { 'a',    'Z',    '-',    '.',    ':',    0xDF,   0x130,  0x149,  0x345,   0x308,
                                                0x301,  0x307,  0x3A3,  0x3B9,  0x1E9E, 0x1F80, 0x1FB3, 0x212A, 0x2126,  0xFB01,
                                                0xFF21, 0xFF41, 0x3099, 0x30AB, 0xFF76, 0xFF9E, 0xAD,   0x200D, 0x1100,  0x1161,
                                                0xAC00, 0x11A8, 0x5D0,  0x627,  0x3002, 0xC4,   0x41,   0x327,  0x1D400, 0x338 };
        static const gunichar jamo[] = { 0x1100, 0x1161, 0xAC00, 0x11A8, 0x308, 0x327, 0x338, 0x3099, 0xFF9E };
        unsigned n_good = 0, n_unstable = 0;

        for (unsigned i = 0; i < 20000; i++) {
                _cleanup_free_ char *name = NULL, *again = NULL;
                g_autoptr(GString) s = g_string_new(DOMAIN ":");
                const char *reason;

                for (int n = g_test_rand_int_range(1, 6); n > 0; n--)
                        g_string_append_unichar(s, i % 2 ? interesting[g_test_rand_int_range(0, ELEMENTSOF(interesting))]
                                                         : jamo[g_test_rand_int_range(0, ELEMENTSOF(jamo))]);

                if (iscsi_name_normalize(s->str, &name, &reason) < 0) {
                        n_unstable += strstr(reason, STABLE) != NULL;
                        continue;
                }
                n_good++;
                if (iscsi_name_normalize(name, &again, &reason) < 0 || strcmp(again, name) != 0) {
                        say(s->str);
                        say(name);
                        say(again ? again : reason);
                        g_test_fail();
                }
        }
        g_assert_cmpuint(n_good, >, 1000);
        g_assert_cmpuint(n_unstable, >, 0); /* some 50 */
}

static void test_generate(void) {
        static const uint8_t random[6] = { 0x00, 0x01, 0x9A, 0xBC, 0xDE, 0xFF };
        static const char prefix[] = "iqn.2003-01.org.linux-iscsi.", suffix[] = ":sn.00019abcdeff";
        static const struct {
                const char *host, *label;
        } cases[] = {
                { "server", "server" },
                { "Server-1", "server-1" },
                { "SERVER.Example.ORG", "server" },
                { "server.", "server" },
                { "1", "1" },
                { "10.0.0.1", "10" },
                { "a--b", "a--b" },
                { "", "localhost" },
                { ".", "localhost" },
                { ".example.org", "localhost" },
                { "-", "localhost" },
                { "---", "localhost" },
                { "-a-", "a" },
                { "a-.b", "a" },
                { "a-_-", "a" },
                { "_srv_1", "srv1" },
                { "my host", "myhost" },
                { "a/b:c,d", "abcd" },
                { "müller", "mller" },
                { "日本", "localhost" },
                { "\xff\xfe", "localhost" },
                { "a\n\tb\x1b[0m", "ab0m" },
                { "%s%n", "sn" },
                { "(none)", "none" },
                { "::", "localhost" },
                /* 63 is the longest label of a domain name */
                { "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc",
                  "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc" },
                { "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd",
                  "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc" },
                { "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijab-d",
                  "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijab" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *expected = g_strconcat(prefix, cases[i].label, suffix, NULL);
                _cleanup_free_ char *name = NULL;

                g_assert_cmpint(iscsi_name_generate(cases[i].host, random, &name), ==, 0);
                assert_good(name, expected); /* is in its normal form */
                g_assert_cmpstr(name, ==, expected);
        }

        {
                g_autofree char *host = padded("", "long-", 1000);
                _cleanup_free_ char *name = NULL;

                g_assert_cmpint(iscsi_name_generate(host, random, &name), ==, 0);
                assert_good(name, name);
        }
}

static void test_generate_random(void) {
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, free, NULL);

        for (unsigned i = 0; i < 2000; i++) {
                g_autoptr(GString) host = g_string_new("");
                uint8_t random[6] = { (uint8_t) (i >> 8), (uint8_t) i, 1, 2, 3, 4 };
                char *name = NULL;

                for (int n = g_test_rand_int_range(0, 80); n > 0; n--)
                        g_string_append_c(host, (char) g_test_rand_int_range(1, 256));

                g_assert_cmpint(iscsi_name_generate(host->str, random, &name), ==, 0);
                assert_good(name, name);
                g_assert_true(g_hash_table_add(seen, name)); /* other bytes, another name */
        }
}

static void test_port_names(void) {
        static const struct {
                uint16_t role;
                uint64_t identifier;
                const char *tail;
        } cases[] = {
                { ROLE_TARGET, 0, ",t,0x0000" },
                { ROLE_TARGET, 1, ",t,0x0001" },
                { ROLE_TARGET, 0xABC, ",t,0x0abc" },
                { ROLE_TARGET, 0xFFFF, ",t,0xffff" },
                { ROLE_INITIATOR, 0, ",i,0x000000000000" },
                { ROLE_INITIATOR, 1, ",i,0x000000000001" },
                { ROLE_INITIATOR, 0x00023D000001, ",i,0x00023d000001" },
                { ROLE_INITIATOR, 0x80FFFFFFFFFF, ",i,0x80ffffffffff" },
        };
        g_autofree char *longest = padded(DOMAIN ":", "a", ISCSI_NAME_MAX - strlen(DOMAIN ":"));

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *name = NULL, *long_name = NULL;
                g_autofree char *expected = g_strconcat(DOMAIN ":a", cases[i].tail, NULL);

                g_assert_cmpint(iscsi_port_name(DOMAIN ":a", cases[i].role, cases[i].identifier, &name), ==, 0);
                g_assert_cmpstr(name, ==, expected);

                g_assert_cmpint(iscsi_port_name(longest, cases[i].role, cases[i].identifier, &long_name), ==, 0);
                g_assert_true(g_str_has_prefix(long_name, longest));
                g_assert_cmpstr(long_name + ISCSI_NAME_MAX, ==, cases[i].tail);
                g_assert_cmpuint(strlen(long_name), <=, 240);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/name/good", test_good);
        g_test_add_func("/name/bad", test_bad);
        g_test_add_func("/name/ascii", test_ascii);
        g_test_add_func("/name/length", test_length);
        g_test_add_func("/name/length-after-folding", test_length_after_folding);
        g_test_add_func("/name/endless", test_endless);
        g_test_add_func("/name/every-character", test_every_character);
        g_test_add_func("/name/random-names", test_random_names);
        g_test_add_func("/name/generate", test_generate);
        g_test_add_func("/name/generate-random", test_generate_random);
        g_test_add_func("/name/port-names", test_port_names);
        return g_test_run();
}
