# What the tests are called: sourced by check.sh and run.sh at the top of the tree.
# A test's name is its file's without suffix, whatever its kind.

# Those that need no server: test/NAME.sh, which reports as TAP.
script_tests="checkver style"

# The kinds, in the order in which they are run.
test_kinds="scripts regression isolation pgtap tap"

test_names() # [KIND]: prints the names of that kind, or all
{
	for kind in ${1:-$test_kinds}; do
		case $kind in
			scripts) printf '%s\n' $script_tests ;;
			regression) base_names test/sql/*.sql ;;
			isolation) base_names test/specs/iso_*.spec ;;
			pgtap) base_names test/pgtap/*.sql ;;
			tap) base_names test/t/[0-9]*.pl ;;
		esac
	done
}

base_names() # FILE...
{
	for file; do
		file=${file##*/}
		printf '%s\n' "${file%.*}"
	done
}

test_kind() # NAME: prints its kind, or fails
{
	for kind in $test_kinds; do
		if test_names "$kind" | grep -qxF -e "$1"; then
			echo "$kind"
			return
		fi
	done
	return 1
}

# Up to five names that hold NAME or are spelled much as it is, the nearest first.
near_names() # NAME
{
	test_names | awk -v name="$1" '
		# How many letters to add, drop or change.
		function distance(a, b,    i, j, d, cost)
		{
			for (i = 0; i <= length(a); i++)
				d[i, 0] = i
			for (j = 0; j <= length(b); j++)
				d[0, j] = j
			for (i = 1; i <= length(a); i++)
				for (j = 1; j <= length(b); j++)
				{
					cost = substr(a, i, 1) != substr(b, j, 1)
					d[i, j] = d[i - 1, j - 1] + cost
					if (d[i - 1, j] + 1 < d[i, j])
						d[i, j] = d[i - 1, j] + 1
					if (d[i, j - 1] + 1 < d[i, j])
						d[i, j] = d[i, j - 1] + 1
				}
			return d[length(a), length(b)]
		}
		index($0, name) { print 0, $0; next }
		{
			far = distance(name, $0)
			if (far <= 1 + length(name) / 4)
				print far, $0
		}' | sort -n | sed -n '1,5s/^[0-9]* //p'
}
