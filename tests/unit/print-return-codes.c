/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Prints docs/return-codes.md from common/refusal.c and the rows of the methods. */

#include <stdio.h>
#include <string.h>

#include "change/method.h"
#include "common/refusal.h"

static const char introduction[] =
        "<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->\n"
        "<!-- Made from service/common/refusal.c and service/change/methods/. To renew: build/tests/unit/print-return-codes > "
        "docs/return-codes.md -->\n"
        "\n"
        "# Return codes\n"
        "\n"
        "The methods of `org.iscsi.ConfigurationService` follow DMTF's `CIM_iSCSIConfigurationService` (CIM schema 2.51), and so "
        "do their\n"
        "return codes. On D-Bus they look like this:\n"
        "\n"
        "* Code 0, Success, is the reply. It means that the change is on disk and in force.\n"
        "* Every other code is a D-Bus error. Its name is `" ERROR_NAME_PREFIX "` and the name in the tables. Its message\n"
        "  is for people: it names the object and the reason, and it ends with the code in brackets, e.g. `(4098)`.\n"
        "* The errno is what libsystemd's error map gives to a caller that registered the names.\n"
        "* A refused caller gets `org.freedesktop.DBus.Error.AccessDenied` or\n"
        "  `org.freedesktop.DBus.Error.InteractiveAuthorizationRequired`; these have no code.\n"
        "\n"
        "Decide by the error name, or by method and code together: codes from 4096 to 32767 are numbered per method, so that the "
        "same\n"
        "number means different things in different methods. What the methods do is in "
        "`interfaces/org.iscsi.ConfigurationService.xml`.\n";

static void print_header(const char *last) {
        printf("| code | error name | errno | %s |\n"
               "| ---: | --- | --- | --- |\n",
               last);
}

static void print_row(uint32_t code, Refusal r, const char *text) {
        printf("| %u | `%s` | %s | %s |\n", code, refusal_error_name(r) + strlen(ERROR_NAME_PREFIX),
               strerrorname_np(refusal_errno(r)), text);
}

/* The refusals that have the same code in all methods, from FIRST to LAST. */
static void print_common(uint32_t first, uint32_t last) {
        print_header("meaning");

        for (Refusal r = REFUSAL_NONE + 1; r < _REFUSAL_MAX; r++)
                if (refusal_common_code(r) >= first && refusal_common_code(r) <= last)
                        print_row(refusal_common_code(r), r, refusal_meaning(r));
}

static void print_method(const Method *m) {
        printf("\n### %s\n\n", m->name);
        if (m->n_codes == 0) {
                printf("No codes of its own.\n");
                return;
        }

        print_header("when");
        for (size_t i = 0; i < m->n_codes; i++)
                print_row(m->codes[i].code, m->codes[i].refusal, m->codes[i].when);
}

int main(void) {
        fputs(introduction, stdout);

        printf("\n## In all methods\n\n### CIM's own\n\n");
        print_common(1, 4095);
        printf("\n### Vendor codes\n\n");
        print_common(32768, 65535);

        printf("\n## In one method\n");
        for (const Method *const *m = methods; *m; m++)
                print_method(*m);

        return ferror(stdout) || fflush(stdout) != 0;
}
