#!/bin/sh
# Prints the mirror of Debian that this machine's apt uses, or nothing: what apt has
# of it is its lists.
apt-get indextargets 'Created-By: Packages' 2>/dev/null | awk '
	{ value[$1] = $2 }
	$0 == "" { show() }
	END { show() }
	function show() {
		if (value["Origin:"] == "Debian" && value["Label:"] == "Debian" && value["Component:"] == "main")
			print value["Repo-URI:"]
		delete value
	}' | head -n 1
