"""fastdup: a vector an image by the network inside it, and components of images alike."""

import fastdup

from benchmarks.peers.scripts.outcome import PROCESSES, folder, print_outcome

if __name__ == "__main__":
    program = fastdup.create(work_dir="work", input_dir=str(folder()))
    program.run(num_threads=PROCESSES)
    names, _ = fastdup.load_binary_feature("work/atrain_features.dat")
    alike = program.similarity()
    pairs = list(zip(alike["filename_from"], alike["filename_to"], strict=True))
    print_outcome(len(names), pairs, list(program.invalid_instances()["filename"]))
