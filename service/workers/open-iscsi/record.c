/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/record.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define KEY_PREFIX "iface."

/* open-iscsi reads a record by lines of this many bytes: what is behind them it takes for the next line. */
#define LINE_MAX_BYTES 1023u

/* The keys of open-iscsi 2.1.8 behind the prefix, sorted; those that are kept come with their place. Some it knows in the IPv6
 * records of cards alone. */
static const struct {
        const char *key;
        size_t offset; /* of the value in Record; 0: it is not kept */
} keys[] = {
        { "bidi_chap", 0 },
        { "bootproto", 0 },
        { "chap_auth", 0 },
        { "data_digest", 0 },
        { "data_pdu_inorder", 0 },
        { "data_seq_inorder", 0 },
        { "def_task_mgmt_timeout", 0 },
        { "delayed_ack", 0 },
        { "dhcp_alt_client_id", 0 },
        { "dhcp_alt_client_id_state", 0 },
        { "dhcp_dns", 0 },
        { "dhcp_learn_iqn", 0 },
        { "dhcp_req_vendor_id_state", 0 },
        { "dhcp_slp_da", 0 },
        { "dhcp_vendor_id", 0 },
        { "dhcp_vendor_id_state", 0 },
        { "discovery_auth", 0 },
        { "discovery_logout", 0 },
        { "dup_addr_detect_cnt", 0 },
        { "erl", 0 },
        { "first_burst_len", 0 },
        { "flow_label", 0 },
        { "fragmentation", 0 },
        { "gateway", 0 },
        { "gratuitous_arp", 0 },
        { "gratuitous_neighbor_adv", 0 },
        { "header_digest", 0 },
        { "hop_limit", 0 },
        { "hwaddress", offsetof(Record, hwaddress) },
        { "iface_num", 0 },
        { "immediate_data", 0 },
        { "incoming_forwarding", 0 },
        { "initial_r2t", 0 },
        { "initiatorname", offsetof(Record, initiator) },
        { "ipaddress", 0 },
        { "ipv6_autocfg", 0 },
        { "ipv6_linklocal", 0 },
        { "ipv6_router", 0 },
        { "iscsi_ifacename", offsetof(Record, name) },
        { "linklocal_autocfg", 0 },
        { "max_burst_len", 0 },
        { "max_outstanding_r2t", 0 },
        { "max_receive_data_len", 0 },
        { "mld", 0 },
        { "mtu", 0 },
        { "nd_reachable_tmo", 0 },
        { "nd_rexmit_time", 0 },
        { "nd_stale_tmo", 0 },
        { "net_ifacename", offsetof(Record, netdev) },
        { "port", 0 },
        { "prefix_len", 0 },
        { "primary_dns", 0 },
        { "redirect", 0 },
        { "router_adv_link_mtu", 0 },
        { "router_autocfg", 0 },
        { "secondary_dns", 0 },
        { "state", 0 },
        { "strict_login_compliance", 0 },
        { "subnet_mask", 0 },
        { "tcp_nagle", 0 },
        { "tcp_timer_scale", 0 },
        { "tcp_timestamp", 0 },
        { "tcp_wsf", 0 },
        { "tcp_wsf_state", 0 },
        { "tos", 0 },
        { "tos_state", 0 },
        { "traffic_class", 0 },
        { "transport_name", offsetof(Record, transport) },
        { "ttl", 0 },
        { "vlan_id", 0 },
        { "vlan_priority", 0 },
        { "vlan_state", 0 },
};

void record_done(Record *r) {
        free(r->file);
        free(r->name);
        free(r->transport);
        free(r->netdev);
        free(r->hwaddress);
        free(r->initiator);
        free(r->unknown);
        *r = (Record){};
}

static bool copy_text(const char *text, char **ret) {
        *ret = text ? strdup(text) : NULL;
        return !text || *ret;
}

int record_copy(const Record *r, Record *ret) {
        _cleanup_record_ Record copy = { .empty = r->empty };

        if (!copy_text(r->file, &copy.file) || !copy_text(r->name, &copy.name) || !copy_text(r->transport, &copy.transport) ||
            !copy_text(r->netdev, &copy.netdev) || !copy_text(r->hwaddress, &copy.hwaddress) ||
            !copy_text(r->initiator, &copy.initiator) || !copy_text(r->unknown, &copy.unknown))
                return -ENOMEM;

        *ret = copy;
        copy = (Record){};
        return 0;
}

bool record_is_valid(const Record *r) {
        return r->transport != NULL;
}

static int replace(char **value, const char *text, size_t n) {
        char *copy = strndup(text, n);

        if (!copy)
                return -ENOMEM;
        free(*value);
        *value = copy;
        return 0;
}

/* The number of the key in the table; ELEMENTSOF(keys): it is unknown. */
static size_t find_key(const char *key, size_t n) {
        size_t i = 0, prefix = strlen(KEY_PREFIX);

        if (n <= prefix || memcmp(key, KEY_PREFIX, prefix) != 0)
                return ELEMENTSOF(keys);
        while (i < ELEMENTSOF(keys) && (strlen(keys[i].key) != n - prefix || memcmp(key + prefix, keys[i].key, n - prefix) != 0))
                i++;
        return i;
}

/* A setting, in place in the text. */
typedef struct Setting {
        const char *key, *value;
        size_t n_key, n_value;
} Setting;

static int take_setting(Record *r, const Setting *s) {
        size_t i = find_key(s->key, s->n_key);
        char **place;

        r->empty = false;
        if (i == ELEMENTSOF(keys))
                return r->unknown ? 0 : replace(&r->unknown, s->key, s->n_key);
        if (keys[i].offset == 0)
                return 0;

        place = (char **) ((char *) r + keys[i].offset);
        if (s->n_value != strlen("<empty>") || memcmp(s->value, "<empty>", s->n_value) != 0)
                return replace(place, s->value, s->n_value);
        free(TAKE_PTR(*place));
        return 0;
}

static size_t skip_blanks(const char *line, size_t i, size_t n) {
        while (i < n && isspace((unsigned char) line[i]))
                i++;
        return i;
}

/* Whether the line of N bytes has a setting. */
static bool read_line(const char *line, size_t n, Setting *ret) {
        size_t key, end, value;

        key = skip_blanks(line, 0, n);
        if (key == n || line[key] == '#')
                return false;
        for (end = key; end < n && !isspace((unsigned char) line[end]); end++)
                ;
        value = skip_blanks(line, end, n);
        if (value == n || line[value] != '=')
                return false;
        value = skip_blanks(line, value + 1, n);
        while (n > value && isspace((unsigned char) line[n - 1]))
                n--;

        *ret = (Setting){ .key = line + key, .n_key = end - key, .value = line + value, .n_value = n - value };
        return n > value;
}

/* Steps to the next setting from *TEXT on. Returns false at the end. */
static bool next_setting(const char **text, Setting *ret) {
        bool found = false;

        while (**text && !found) {
                size_t n = strcspn(*text, "\n");

                n = MIN2(n, LINE_MAX_BYTES);
                found = read_line(*text, n, ret);
                *text += n;
                *text += **text == '\n';
        }
        return found;
}

int record_parse(const char *file, const char *text, Record *ret) {
        _cleanup_record_ Record r = { .empty = true };
        Setting setting;
        int e;

        r.file = strdup(file);
        if (!r.file)
                return -ENOMEM;

        while (next_setting(&text, &setting)) {
                e = take_setting(&r, &setting);
                if (e < 0)
                        return e;
        }

        *ret = r;
        r = (Record){};
        return 0;
}

static void format_value(FILE *f, const char *key, const char *value) {
        if (value)
                (void) fprintf(f, KEY_PREFIX "%s = %s\n", key, value);
}

static void format_others(FILE *f, const char *before) {
        Setting s;

        while (next_setting(&before, &s)) {
                size_t i = find_key(s.key, s.n_key);

                if (i < ELEMENTSOF(keys) && keys[i].offset == 0)
                        (void) fprintf(f, "%.*s = %.*s\n", (int) s.n_key, s.key, (int) s.n_value, s.value);
        }
}

char *record_format(const Record *r, const char *comment, const char *before) {
        char *text = NULL;
        size_t size;
        FILE *f;

        f = open_memstream(&text, &size);
        if (!f)
                return NULL;

        (void) fprintf(f, "# BEGIN RECORD 2.1.8\n# %s\n", comment);
        format_value(f, "iscsi_ifacename", r->name);
        format_value(f, "net_ifacename", r->netdev);
        format_value(f, "transport_name", r->transport);
        format_value(f, "initiatorname", r->initiator);
        if (before)
                format_others(f, before);
        (void) fputs("# END RECORD\n", f);

        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}
