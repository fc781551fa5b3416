
# Copyright (C) the ngx_http_prom_module authors
#
#   make            the module, the library and prom-push, in build/
#                   NGINX_SRC=dir: the module alone, for that source tree
#   make run        nginx in the foreground with docs/quickstart/nginx.conf
#   make test       everything that CI runs
#   make bench      the benchmarks
#   make install    DESTDIR, PREFIX, MODULES_DIR
#   make asan       the library and its tests with sanitizers, in build/asan
#   make clean

B = build

CC = gcc
AR = ar
PROTOC_C = protoc-c
PROVE = prove
INSTALL = install
PREFIX = /usr/local

NGINX_SRC =
NGINX_FLAGS = --with-compat --with-threads --with-http_ssl_module \
	--with-http_v2_module

CFLAGS = -O2 -g
ASAN_CFLAGS = -O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all
WARNINGS = -W -Wall -Wpointer-arith -Wno-unused-parameter -Werror
LDLIBS = -Wl,--as-needed -lsnappy -lpcre2-8 -lprotobuf-c -lm

MODULE = $(B)/ngx_http_prom_module.so

# The rooms of the library; src/http needs nginx's headers, src/push is a
# program of its own.

ROOMS = base labels wire tsdb expose path

LIB_SRCS := $(sort $(wildcard $(ROOMS:%=src/%/*.c)))
HTTP_SRCS := $(sort $(wildcard src/http/*.c))
PUSH_SRCS := $(sort $(wildcard src/push/*.c))
HEADERS := $(sort $(wildcard $(foreach room,$(ROOMS) http,src/$(room)/*.h \
	src/$(room)/*.inc)))
PROTOS := $(sort $(wildcard proto/*.proto))

# Each C file of the tests is a program; those in CHECKED run sanitized too.

CHECKED := $(sort $(wildcard t/unit/*.c t/fuzz/*.c))
PLAIN := $(sort $(wildcard t/torture/*.c t/bench/*.c t/lib/*.c))

LIB_OBJS = $(LIB_SRCS:src/%.c=$(B)/obj/%.o)
PUSH_OBJS = $(PUSH_SRCS:src/%.c=$(B)/obj/%.o)
PB_SRCS = $(PROTOS:proto/%.proto=$(B)/proto/%.pb-c.c)
PB_OBJS = $(PB_SRCS:.c=.o)
ASAN_OBJS = $(LIB_SRCS:src/%.c=$(B)/asan/obj/%.o)
PROGRAMS = $(CHECKED:%.c=$(B)/%) $(PLAIN:%.c=$(B)/%)
ASAN_PROGRAMS = $(CHECKED:%.c=$(B)/asan/%)

# nginx is not in everybody's PATH.

export PATH := $(PATH):/usr/local/sbin:/usr/sbin
MAKEFLAGS += -r --no-print-directory
MAKE_ALL = $(MAKE) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))


.PHONY: all programs asan run test bench install clean FORCE
.DELETE_ON_ERROR:
.SECONDARY: $(PB_SRCS)

ifeq ($(NGINX_SRC),)
all: $(MODULE) $(B)/libprom.a $(B)/prom-push
else
all: $(MODULE)
endif

programs: $(PROGRAMS)

asan: $(ASAN_PROGRAMS)


# The module, by nginx's own scripts.  Two files remember what the build
# depends on besides the contents of files.

ifeq ($(NGINX_SRC),)

NGINX_DIR = /usr/share/nginx/src
NGINX_VERSION := $(shell dpkg-query -W nginx-dev 2>&1)

define CONFIGURE
	@test -e $(NGINX_DIR)/conf_flags || { echo "the headers of nginx are \
	missing: run \`t/lib/deps build' as root or give NGINX_SRC=dir"; exit 1; }
	bash -c '. $(NGINX_DIR)/conf_flags && cd $(NGINX_DIR) && ./configure \
	    --with-cc=$(CC) --with-cc-opt="$(CFLAGS) -fPIC" --with-ld-opt=-fPIC \
	    "$${NGX_CONF_FLAGS[@]}" --add-dynamic-module=$(CURDIR) \
	    --builddir=$(CURDIR)/$(B)/nginx' > $(B)/configure.log \
	    || { cat $(B)/configure.log; exit 1; }
endef

else

# nginx writes a Makefile into the tree that it configures, so it gets a tree
# of links.

NGINX_DIR = $(CURDIR)/$(B)/nginx-src
NGINX_VERSION := $(abspath $(NGINX_SRC)) $(NGINX_FLAGS)

define CONFIGURE
	rm -rf $(NGINX_DIR)
	mkdir -p $(NGINX_DIR)
	ln -s $(filter-out %/Makefile %/objs, \
	    $(wildcard $(abspath $(NGINX_SRC))/*)) $(NGINX_DIR)
	cd $(NGINX_DIR) && \
	sh $(if $(wildcard $(NGINX_SRC)/configure),,auto/)configure \
	    --with-cc=$(CC) --with-cc-opt="$(CFLAGS) -fPIC" --with-ld-opt=-fPIC \
	    $(NGINX_FLAGS) --add-dynamic-module=$(CURDIR) \
	    --builddir=$(CURDIR)/$(B)/nginx > $(CURDIR)/$(B)/configure.log \
	    || { cat $(CURDIR)/$(B)/configure.log; exit 1; }
endef

endif

$(B)/inputs: TEXT = $(NGINX_VERSION) $(LIB_SRCS) $(HTTP_SRCS) $(HEADERS)
$(B)/flags: TEXT = $(CC) $(CPPFLAGS) $(CFLAGS) $(ASAN_CFLAGS) $(LDFLAGS)

$(B)/inputs $(B)/flags: FORCE
	@mkdir -p $(B)
	@echo "$(TEXT)" | cmp -s - $@ || echo "$(TEXT)" > $@

$(B)/nginx/Makefile: $(B)/inputs $(B)/flags config
	rm -rf $(B)/nginx
	$(CONFIGURE)

$(MODULE): $(B)/nginx/Makefile $(LIB_SRCS) $(HTTP_SRCS) $(HEADERS) \
		src/http/module.map
	$(MAKE) -C $(NGINX_DIR) -f $(CURDIR)/$(B)/nginx/Makefile modules
	$(INSTALL) -m 644 $(B)/nginx/$(@F) $@


# The library, the generated code, prom-push.

COMPILE = $(CC) $(CPPFLAGS) $(WARNINGS) -MMD -MP -MF $@.d -Isrc -I$(B)/proto

$(B)/libprom.a: $(LIB_OBJS) $(B)/inputs
$(B)/asan/libprom.a: $(ASAN_OBJS) $(B)/inputs
$(B)/libproto.a: $(PB_OBJS)

%.a:
	rm -f $@
	$(AR) rcs $@ $(filter %.o,$^)

$(B)/obj/%.o: src/%.c $(B)/flags
	@mkdir -p $(@D)
	$(COMPILE) $(CFLAGS) -c -o $@ $<

$(B)/asan/obj/%.o: src/%.c $(B)/flags
	@mkdir -p $(@D)
	$(COMPILE) $(ASAN_CFLAGS) -c -o $@ $<

$(B)/proto/%.pb-c.c $(B)/proto/%.pb-c.h: proto/%.proto
	@mkdir -p $(@D)
	$(PROTOC_C) --proto_path=proto --c_out=$(@D) $<

$(B)/proto/%.o: $(B)/proto/%.c $(B)/flags
	$(CC) $(CFLAGS) -c -o $@ $<

# Until the first compilation nobody knows who includes generated headers.

$(PUSH_OBJS) $(PROGRAMS) $(ASAN_PROGRAMS): | $(PB_SRCS)

$(B)/prom-push: $(PUSH_OBJS) $(B)/libproto.a $(B)/libprom.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcurl


# The programs of the tests.

$(CHECKED:%.c=$(B)/%) $(PLAIN:%.c=$(B)/%): $(B)/%: %.c $(B)/libprom.a \
		$(B)/libproto.a $(B)/flags
	@mkdir -p $(@D)
	$(COMPILE) -It/unit $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.a,$^) \
	    $(LDLIBS)

$(ASAN_PROGRAMS): $(B)/asan/%: %.c $(B)/asan/libprom.a $(B)/libproto.a \
		$(B)/flags
	@mkdir -p $(@D)
	$(COMPILE) -It/unit $(ASAN_CFLAGS) $(LDFLAGS) -o $@ \
	    $(filter %.c %.a,$^) $(LDLIBS)


RUN = nginx -p $(CURDIR)/$(B)/run -e stderr \
	-c $(CURDIR)/docs/quickstart/nginx.conf

define NEXT

nginx answers on 127.0.0.1:9009 until it gets Ctrl-C; its logs and its pid are
in $(B)/run.  Type in another terminal:

    echo 'up{job="demo"} 1' |
        $(CURDIR)/$(B)/prom-push http://127.0.0.1:9009/api/v1/write
    curl -g 'http://127.0.0.1:9009/federate?match[]=up'

endef
export NEXT

run:
	@t/lib/deps run
	@$(MAKE_ALL) all
	@mkdir -p $(B)/run/logs $(B)/run/modules $(B)/run/tmp
	@ln -sf ../../$(notdir $(MODULE)) $(B)/run/modules/
	@$(RUN) -t -q
	@printf "%s\n" "$$NEXT"
	@exec $(RUN) -g 'daemon off;'

test:
	@t/lib/deps test
	@$(MAKE_ALL) all programs asan
	@$(PROVE) -r t

bench:
	@$(MAKE_ALL) all programs
	@t/bench/run

MODULES_DIR = $(or $(shell nginx -V 2>&1 \
	| sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p'),$(PREFIX)/lib/nginx/modules)

install: $(MODULE) $(B)/prom-push
	$(INSTALL) -d $(DESTDIR)$(MODULES_DIR) $(DESTDIR)$(PREFIX)/bin
	$(INSTALL) -m 644 $(MODULE) $(DESTDIR)$(MODULES_DIR)
	$(INSTALL) -m 755 $(B)/prom-push $(DESTDIR)$(PREFIX)/bin

clean:
	rm -rf $(B)

-include $(addsuffix .d,$(LIB_OBJS) $(ASAN_OBJS) $(PUSH_OBJS) $(PROGRAMS) \
	$(ASAN_PROGRAMS))
