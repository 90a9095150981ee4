#!/bin/sh
# Tests the alert rules of deploy/observability, and fails where it cannot. promtool is the one that is installed, or else
# the one of Debian's package prometheus, fetched into .build without installing it.
set -eu
cd "$(dirname "$0")/../.."
promtool=$(command -v promtool || true)
if [ -z "$promtool" ]; then
	promtool=.build/promtool/usr/bin/promtool
	if [ ! -x "$promtool" ]; then
		mkdir -p .build/promtool
		(cd .build/promtool && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && rm -f prometheus_*.deb) || {
			echo "the alert rules were not tested: install promtool (Debian: apt-get install prometheus; else from prometheus.io)" >&2
			exit 1
		}
	fi
fi
"$promtool" check rules deploy/observability/alerts.yaml
"$promtool" test rules deploy/observability/alerts_test.yaml
