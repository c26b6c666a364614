/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/interfaces.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "common/array.h"
#include "common/log.h"
#include "common/macro.h"
#include "workers/base/netlink.h"

void interfaces_done(Interfaces *i) {
        free(i->names);
        *i = (Interfaces){};
}

static int add_name(Interfaces *i, uint32_t index, const char *name, bool alternative) {
        if (array_grow(&i->names, i->n, sizeof(*i->names)) < 0) {
                errno = ENOMEM;
                return MNL_CB_ERROR;
        }

        i->names[i->n] = (InterfaceName){ .index = index, .alternative = alternative };
        (void) snprintf(i->names[i->n].name, sizeof(i->names[i->n].name), "%s", name);
        i->n++;
        return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *nlh, void *userdata) {
        const struct ifinfomsg *m = mnl_nlmsg_get_payload(nlh);
        const struct nlattr *a, *b;
        uint32_t index;
        int r = MNL_CB_OK;

        if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
                return MNL_CB_OK;

        index = (uint32_t) m->ifi_index;
        mnl_attr_for_each(a, nlh, sizeof(*m)) {
                if (mnl_attr_get_type(a) == IFLA_IFNAME)
                        r = add_name(userdata, index, mnl_attr_get_str(a), false);
                if (mnl_attr_get_type(a) == IFLA_PROP_LIST)
                        mnl_attr_for_each_nested(b, a) {
                                if (mnl_attr_get_type(b) == IFLA_ALT_IFNAME && r >= 0)
                                        r = add_name(userdata, index, mnl_attr_get_str(b), true);
                        }
                if (r < 0)
                        return r;
        }

        return MNL_CB_OK;
}

static void restart(void *userdata) {
        interfaces_done(userdata);
}

static void load(Interfaces *i) {
        char buf[MNL_ALIGN(sizeof(struct nlmsghdr)) + MNL_ALIGN(sizeof(struct ifinfomsg)) + 64];
        struct nlmsghdr *nlh;
        struct ifinfomsg *m;
        int r;

        if (i->loaded)
                return;

        nlh = mnl_nlmsg_put_header(buf);
        nlh->nlmsg_type = RTM_GETLINK;
        nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));
        m->ifi_family = AF_UNSPEC;
        mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);

        r = netlink_dump(NETLINK_ROUTE, nlh, on_link, restart, i);
        if (r < 0)
                (void) log_warning_errno(r, "Cannot read the network interfaces");
        i->error = r;
        i->loaded = true;
}

uint32_t interfaces_index(Interfaces *i, const char *zone) {
        unsigned long number;
        char *end;

        load(i);

        for (size_t k = 0; k < i->n; k++)
                if (strncmp(i->names[k].name, zone, IF_NAMESIZE - 1) == 0)
                        return i->names[k].index;

        number = strtoul(zone, &end, 0);
        if (!*zone || *end || *zone == '-' || number > INT32_MAX)
                return 0;

        return interfaces_name(i, (uint32_t) number) ? (uint32_t) number : 0;
}

const char *interfaces_name(Interfaces *i, uint32_t index) {
        load(i);

        for (size_t k = 0; k < i->n; k++)
                if (i->names[k].index == index && !i->names[k].alternative)
                        return i->names[k].name;

        return NULL;
}
