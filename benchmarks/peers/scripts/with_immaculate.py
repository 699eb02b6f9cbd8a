"""immaculate: copies and images that look alike, in a folder."""

from itertools import pairwise

from immaculate import find_duplicates

from benchmarks.peers.scripts.outcome import folder, list_images, print_outcome

if __name__ == "__main__":
    result = find_duplicates(str(folder()))
    groups = [sorted(map(str, group)) for group in (*result.exact, *result.near)]
    skipped = list(map(str, result.skipped))
    pairs = [pair for group in groups for pair in pairwise(group)]
    print_outcome(len(list_images()) - len(skipped), pairs, skipped)
