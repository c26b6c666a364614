/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host/table.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>

/* One allocator for all, and an element that found no memory is left out of the hash rather than the process ended. */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) calloc(1, size)
#include <uthash.h>
#include <utlist.h>

#include "common/log.h"
#include "common/text.h"

typedef struct LinkName LinkName;
typedef struct Link Link;
typedef struct Row Row;
typedef struct Address Address;

struct LinkName {
        char key[IF_NAMESIZE];
        Link *links; /* with this name: one, but for moments in which the kernel has told half of what it did */
        int told;    /* index, 0: none */
        bool is_dirty;
        LinkName *prev, *next; /* of the dirty ones */
        UT_hash_handle hh;
};

struct Link {
        int ifindex;
        char name[IF_NAMESIZE];  /* "" as long as only rows of it are known */
        char shown[IF_NAMESIZE]; /* NAME as it may be told */
        bool complained;         /* that NAME cannot be a zone */
        uint64_t pass;           /* when last confirmed */
        Row *rows;
        LinkName *entry; /* of NAME; NULL if that is empty */
        Link *same_prev, *same_next;
        UT_hash_handle hh;
};

/* What tells rows apart in the kernel: it lets IPv4 have one address several times on a link, with other prefixes or peers; an
 * IPv6 address is on a link once, and may change its peer. */
typedef struct RowKey {
        int32_t ifindex;
        uint8_t family;
        uint8_t prefix_length; /* IPv4 only */
        uint16_t zero;
        uint8_t local[16];
        uint8_t peer[16]; /* IPv4 only */
} RowKey;

struct Row {
        RowKey key;
        uint8_t prefix_length;
        uint16_t origin;
        bool there;    /* neither tentative nor failed */
        bool gone;     /* was notified as removed during a full read, kept until its end */
        uint64_t pass; /* when last confirmed */
        Link *link;
        Address *address; /* NULL if it counts for none */
        Row *prev, *next; /* of the same link */
        Row *same_prev, *same_next;
        UT_hash_handle hh;
};

struct Address {
        IpAddress key;
        Row *rows;
        bool is_told;
        HostAddress told;
        bool is_dirty;
        Address *prev, *next; /* of the dirty ones, in the order in which they became so */
        UT_hash_handle hh;
};

struct HostTable {
        host_changed_t changed;
        void *userdata;
        host_link_changed_t link_changed;
        void *link_userdata;
        bool reading;
        uint64_t pass;
        LinkName *names;
        LinkName *dirty_names;
        Link *links;
        Row *rows;
        Address *addresses;
        Address *dirty;
};

static void address_touch(HostTable *t, Address *a) {
        if (a->is_dirty)
                return;

        DL_APPEND(t->dirty, a);
        a->is_dirty = true;
}

static int address_get(HostTable *t, const IpAddress *key, Address **ret) {
        Address *a;

        HASH_FIND(hh, t->addresses, key, sizeof(*key), a);
        if (!a) {
                a = calloc(1, sizeof(*a));
                if (!a)
                        return -ENOMEM;

                a->key = *key;
                HASH_ADD(hh, t->addresses, key, sizeof(a->key), a);
                if (!a->hh.tbl) {
                        free(a);
                        return -ENOMEM;
                }
        }

        *ret = a;
        return 0;
}

static void address_free(HostTable *t, Address *a) {
        if (a->is_dirty)
                DL_DELETE(t->dirty, a);
        HASH_DELETE(hh, t->addresses, a);
        free(a);
}

/* Sets *RET to the address that ROW stands for now. Returns false if it stands for none. */
static bool row_address(const Row *row, IpAddress *ret) {
        IpAddress a;

        if (row->gone || !row->there || !row->link->name[0])
                return false;

        memset(&a, 0, sizeof(a)); /* a hash key: no byte may be left to chance */
        a.family = row->key.family;
        if (a.family == AF_INET)
                memcpy(&a.in, row->key.local, sizeof(a.in));
        else
                memcpy(&a.in6, row->key.local, sizeof(a.in6));

        /* No interface's address, as long as the kernel keeps to that; here it is the wildcard's name. */
        if (ip_address_is_wildcard(&a))
                return false;

        if (ip_address_is_link_local(&a)) {
                memcpy(a.zone, row->link->name, sizeof(a.zone));

                if (!ip_address_is_usable(&a)) {
                        if (!row->link->complained)
                                log_warning("The name of interface %i, \"%s\", cannot be an address' zone: its link-local "
                                            "addresses are left out",
                                            row->link->ifindex, row->link->name);
                        row->link->complained = true;
                        return false;
                }
        } else if (!ip_address_is_usable(&a))
                return false;

        *ret = a;
        return true;
}

static void row_detach(HostTable *t, Row *row) {
        if (!row->address)
                return;

        address_touch(t, row->address);
        DL_DELETE2(row->address->rows, row, same_prev, same_next);
        row->address = NULL;
}

/* Puts ROW to the address that it stands for, and marks both the old and the new one for telling. */
static int row_place(HostTable *t, Row *row) {
        Address *address = NULL;
        IpAddress key;
        int r;

        if (row_address(row, &key)) {
                r = address_get(t, &key, &address);
                if (r < 0)
                        return r;
        }

        if (address != row->address) {
                row_detach(t, row);
                if (address)
                        DL_APPEND2(address->rows, row, same_prev, same_next);
                row->address = address;
        }

        if (address)
                address_touch(t, address);
        return 0;
}

static void name_touch(HostTable *t, LinkName *name) {
        if (name->is_dirty)
                return;

        DL_APPEND(t->dirty_names, name);
        name->is_dirty = true;
}

static LinkName *name_find(const HostTable *t, const char key[static IF_NAMESIZE]) {
        LinkName *name;

        HASH_FIND(hh, t->names, key, IF_NAMESIZE, name);
        return name;
}

static int name_get(HostTable *t, const char key[static IF_NAMESIZE], LinkName **ret) {
        LinkName *name;

        name = name_find(t, key);
        if (!name) {
                name = calloc(1, sizeof(*name));
                if (!name)
                        return -ENOMEM;

                memcpy(name->key, key, sizeof(name->key));
                HASH_ADD(hh, t->names, key, sizeof(name->key), name);
                if (!name->hh.tbl) {
                        free(name);
                        return -ENOMEM;
                }
        }

        *ret = name;
        return 0;
}

static void name_free(HostTable *t, LinkName *name) {
        if (name->is_dirty)
                DL_DELETE(t->dirty_names, name);
        HASH_DELETE(hh, t->names, name);
        free(name);
}

static void link_detach(HostTable *t, Link *link) {
        if (!link->entry)
                return;

        name_touch(t, link->entry);
        DL_DELETE2(link->entry->links, link, same_prev, same_next);
        link->entry = NULL;
}

/* Puts LINK to its name, and marks both the old and the new one for telling. */
static int link_place(HostTable *t, Link *link) {
        LinkName *name;
        int r;

        if (!link->name[0])
                return 0;

        r = name_get(t, link->name, &name);
        if (r < 0)
                return r;
        if (name == link->entry)
                return 0;

        link_detach(t, link);
        DL_APPEND2(name->links, link, same_prev, same_next);
        link->entry = name;
        name_touch(t, name);
        return 0;
}

static void link_clear_name(HostTable *t, Link *link) {
        memset(link->name, 0, sizeof(link->name));
        link_detach(t, link);
}

static int link_get(HostTable *t, int ifindex, Link **ret) {
        Link *link;

        HASH_FIND_INT(t->links, &ifindex, link);
        if (!link) {
                link = calloc(1, sizeof(*link));
                if (!link)
                        return -ENOMEM;

                link->ifindex = ifindex;
                HASH_ADD_INT(t->links, ifindex, link);
                if (!link->hh.tbl) {
                        free(link);
                        return -ENOMEM;
                }
        }

        *ret = link;
        return 0;
}

/* A link without a name and rows says nothing, except during a full read: there it may be one notified as removed. */
static void link_free_unneeded(HostTable *t, Link *link) {
        if (link->name[0] || link->rows || t->reading)
                return;

        HASH_DELETE(hh, t->links, link);
        free(link);
}

static void row_free(HostTable *t, Row *row) {
        row_detach(t, row);
        DL_DELETE(row->link->rows, row);
        HASH_DELETE(hh, t->rows, row);
        free(row);
}

/* Notes that ROW was notified as removed, so that the full read under way does not bring it back. */
static void row_bury(HostTable *t, Row *row) {
        row->pass = t->pass;
        row->gone = true;
        row_detach(t, row);
}

static RowKey row_key(const HostRow *row) {
        RowKey key;

        memset(&key, 0, sizeof(key));
        key.ifindex = row->ifindex;
        key.family = (uint8_t) row->family;
        if (row->family == AF_INET) {
                key.prefix_length = row->prefix_length;
                memcpy(key.local, row->local, 4);
                memcpy(key.peer, row->peer, 4);
        } else
                memcpy(key.local, row->local, 16);

        return key;
}

static Row *row_find(HostTable *t, const RowKey *key) {
        Row *row;

        HASH_FIND(hh, t->rows, key, sizeof(*key), row);
        return row;
}

static int row_get(HostTable *t, const RowKey *key, Row **ret) {
        Link *link;
        Row *row;
        int r;

        row = row_find(t, key);
        if (!row) {
                r = link_get(t, key->ifindex, &link);
                if (r < 0)
                        return r;

                row = calloc(1, sizeof(*row));
                if (row) {
                        row->key = *key;
                        row->link = link;
                        HASH_ADD(hh, t->rows, key, sizeof(row->key), row);
                }
                if (!row || !row->hh.tbl) {
                        free(row);
                        link_free_unneeded(t, link);
                        return -ENOMEM;
                }
                DL_APPEND(link->rows, row);
        }

        *ret = row;
        return 0;
}

static uint16_t row_origin(const HostRow *row) {
        bool permanent = row->flags & IFA_F_PERMANENT;

        if (row->family == AF_INET) {
                if (row->local[0] == 169 && row->local[1] == 254)
                        return HOST_ORIGIN_IPV4_LINK_LOCAL;
                return permanent ? HOST_ORIGIN_STATIC : HOST_ORIGIN_DHCP;
        }

        if (row->local[0] == 0xfe && (row->local[1] & 0xc0) == 0x80)
                return HOST_ORIGIN_LINK_LOCAL;
        if (row->protocol == IFAPROT_KERNEL_RA || row->flags & (IFA_F_MANAGETEMPADDR | IFA_F_TEMPORARY))
                return HOST_ORIGIN_STATELESS;
        return permanent ? HOST_ORIGIN_STATIC : HOST_ORIGIN_STATELESS;
}

/* An optimistic address is still tentative, but may be used already (RFC 4429). */
static bool row_is_there(const HostRow *row) {
        if (row->flags & IFA_F_DADFAILED)
                return false;
        return !(row->flags & IFA_F_TENTATIVE) || row->flags & IFA_F_OPTIMISTIC;
}

int host_table_new(host_changed_t changed, void *userdata, HostTable **ret) {
        HostTable *t;

        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;

        t->changed = changed;
        t->userdata = userdata;
        *ret = t;
        return 0;
}

void host_table_follow_links(HostTable *t, host_link_changed_t changed, void *userdata) {
        t->link_changed = changed;
        t->link_userdata = userdata;
}

int host_table_find_link(const HostTable *t, const char *name) {
        char key[IF_NAMESIZE] = {};
        size_t n = strlen(name);
        const LinkName *found;

        if (n >= sizeof(key))
                return 0;
        memcpy(key, name, n);
        found = name_find(t, key);
        return found ? found->told : 0;
}

HostTable *host_table_free(HostTable *t) {
        Address *address, *next_address;
        LinkName *name, *next_name;
        Link *link, *next_link;
        Row *row, *next_row;

        if (!t)
                return NULL;

        HASH_ITER(hh, t->rows, row, next_row)
                row_free(t, row);
        HASH_ITER(hh, t->links, link, next_link) {
                HASH_DELETE(hh, t->links, link);
                free(link);
        }
        HASH_ITER(hh, t->names, name, next_name)
                name_free(t, name);
        HASH_ITER(hh, t->addresses, address, next_address)
                address_free(t, address);
        free(t);
        return NULL;
}

void host_table_begin(HostTable *t) {
        t->reading = true;
        t->pass++;
}

void host_table_end(HostTable *t) {
        Link *link, *next_link;
        Row *row, *next_row;

        t->reading = false;

        HASH_ITER(hh, t->rows, row, next_row)
                if (row->gone || row->pass != t->pass || row->link->pass != t->pass || !row->link->name[0])
                        row_free(t, row);

        HASH_ITER(hh, t->links, link, next_link) {
                if (link->pass != t->pass)
                        link_clear_name(t, link);
                link_free_unneeded(t, link);
        }
}

int host_table_set_link(HostTable *t, HostSource source, int ifindex, const char *name) {
        Link *link;
        Row *row;
        int r;

        r = link_get(t, ifindex, &link);
        if (r < 0)
                return r;

        if (source == HOST_SOURCE_READ && link->pass == t->pass)
                return 0;
        link->pass = t->pass;

        if (strncmp(link->name, name, sizeof(link->name)) == 0)
                return link_place(t, link); /* there was no memory for it before, if it is not done */

        memset(link->name, 0, sizeof(link->name));
        strncpy(link->name, name, sizeof(link->name) - 1);
        memcpy(link->shown, link->name, sizeof(link->shown));
        text_mask_unprintable(link->shown);
        link->complained = false;

        r = link_place(t, link);
        if (r < 0)
                return r;

        DL_FOREACH(link->rows, row) {
                r = row_place(t, row);
                if (r < 0)
                        return r;
        }

        return 0;
}

int host_table_drop_link(HostTable *t, int ifindex) {
        Row *row, *next;
        Link *link;
        int r;

        if (t->reading) {
                r = link_get(t, ifindex, &link);
                if (r < 0)
                        return r;
        } else {
                HASH_FIND_INT(t->links, &ifindex, link);
                if (!link)
                        return 0;
        }

        DL_FOREACH_SAFE(link->rows, row, next)
        if (t->reading)
                row_bury(t, row);
        else
                row_free(t, row);

        link->pass = t->pass;
        link_clear_name(t, link);
        link_free_unneeded(t, link);
        return 0;
}

int host_table_set_row(HostTable *t, HostSource source, const HostRow *in) {
        RowKey key = row_key(in);
        Row *row;
        int r;

        r = row_get(t, &key, &row);
        if (r < 0)
                return r;

        if (source == HOST_SOURCE_READ && row->pass == t->pass)
                return 0;

        row->pass = t->pass;
        row->gone = false;
        row->prefix_length = in->prefix_length;
        row->origin = row_origin(in);
        row->there = row_is_there(in);
        return row_place(t, row);
}

int host_table_drop_row(HostTable *t, const HostRow *in) {
        RowKey key = row_key(in);
        Link *link;
        Row *row;
        int r;

        if (t->reading) {
                r = row_get(t, &key, &row);
                if (r < 0)
                        return r;

                row_bury(t, row);
                return 0;
        }

        row = row_find(t, &key);
        if (!row)
                return 0;

        link = row->link;
        row_free(t, row);
        link_free_unneeded(t, link);
        return 0;
}

/* The row that speaks for an address: the same one whatever the order of events, so that a restarted service says the same. */
static const Row *address_row(const Address *a) {
        const Row *best = NULL, *row;

        DL_FOREACH2(a->rows, row, same_next) {
                if (best && row->key.ifindex > best->key.ifindex)
                        continue;
                if (!best || row->key.ifindex < best->key.ifindex || row->prefix_length > best->prefix_length)
                        best = row;
        }

        return best;
}

static bool host_address_same(const HostAddress *a, const HostAddress *b) {
        return a->prefix_length == b->prefix_length && a->origin == b->origin && a->ifindex == b->ifindex &&
               strcmp(a->interface, b->interface) == 0;
}

static void address_tell(HostTable *t, Address *a) {
        const Row *row = address_row(a);
        HostAddress now;
        HostEvent event;

        if (!row) {
                bool was_told = a->is_told;

                now = a->told;
                address_free(t, a);
                if (was_told)
                        t->changed(HOST_ADDRESS_REMOVED, &now, t->userdata);
                return;
        }

        now = (HostAddress){
                .address = a->key,
                .prefix_length = row->prefix_length,
                .origin = row->origin,
                .ifindex = row->key.ifindex,
        };
        memcpy(now.interface, row->link->shown, sizeof(now.interface));

        if (a->is_told && host_address_same(&a->told, &now))
                return;

        event = a->is_told ? HOST_ADDRESS_CHANGED : HOST_ADDRESS_ADDED;
        a->is_told = true;
        a->told = now;
        t->changed(event, &now, t->userdata);
}

static void name_tell(HostTable *t, LinkName *name) {
        char text[IF_NAMESIZE];
        const Link *link;
        bool is_new;
        int now = 0;

        DL_FOREACH2(name->links, link, same_next)
        now = MAX2(now, link->ifindex); /* the newest */
        is_new = now != name->told;

        memcpy(text, name->key, sizeof(text));
        name->told = now;
        if (now == 0)
                name_free(t, name);
        if (is_new && t->link_changed)
                t->link_changed(text, now, t->link_userdata);
}

void host_table_tell(HostTable *t) {
        LinkName *name;
        Address *a;

        if (t->reading)
                return;

        while ((name = t->dirty_names)) {
                DL_DELETE(t->dirty_names, name);
                name->is_dirty = false;
                name_tell(t, name);
        }

        while ((a = t->dirty)) {
                DL_DELETE(t->dirty, a);
                a->is_dirty = false;
                address_tell(t, a);
        }
}
