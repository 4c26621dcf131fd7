# Started with a folder as its argument and a pipe from the tests' process as its input. The pipe closes when the tests
# let the folder go, or when their process ends, however it ends: then whatever still works in the folder is killed and
# the folder removed.
trap '' HUP INT QUIT TERM
folder=$1
read -r _

# A process is known by its working folder: no number that meanwhile belongs to somebody else is ever signalled.
at_work() {
    find /proc/[0-9]*/cwd -maxdepth 0 \( -lname "$folder" -o -lname "$folder/*" \) -printf '%h\n' 2>/dev/null |
        cut -d/ -f3
}

# A killed process may have started another one in the meantime, and takes a moment to go.
tries=100
while pids=$(at_work) && [ -n "$pids" ] && [ "$tries" -gt 0 ]; do
    kill -KILL $pids 2>/dev/null
    sleep 0.05
    tries=$((tries - 1))
done

# A killed database leaves a segment of shared memory behind, named on this line of its file.
segment=$(sed -n '7s/.* //p' "$folder/data/postmaster.pid" 2>/dev/null)
[ -z "$segment" ] || ipcrm -m "$segment" 2>/dev/null

rm -rf -- "$folder"
