# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_edge_global_optspecs
    string join \n log= h/help V/version
end

function __fish_edge_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_edge_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_edge_using_subcommand
    set -l cmd (__fish_edge_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c edge -n "__fish_edge_needs_command" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c edge -n "__fish_edge_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c edge -n "__fish_edge_needs_command" -s V -l version -d 'Print version'
complete -c edge -n "__fish_edge_needs_command" -f -a "caption" -d 'Caption image files, or folders of them: JPEG, PNG, TIFF'
complete -c edge -n "__fish_edge_needs_command" -f -a "run" -d 'Fly: take frames from a source, caption them, and send what the policy lets through'
complete -c edge -n "__fish_edge_needs_command" -f -a "install" -d 'Test a bundle, install it into the inactive slot and make that slot active'
complete -c edge -n "__fish_edge_needs_command" -f -a "health" -d 'Tell whether a run is well, by its status: exit code 0 or 1, for a container\'s health check'
complete -c edge -n "__fish_edge_needs_command" -f -a "self-test" -d 'Caption the golden image and compare the result with the recorded one'
complete -c edge -n "__fish_edge_needs_command" -f -a "update" -d 'Make a new bundle from the one on board and a delta from the uplink'
complete -c edge -n "__fish_edge_needs_command" -f -a "bench" -d 'Measure time, memory and bytes per caption; or choose the fastest settings (--choose)'
complete -c edge -n "__fish_edge_needs_command" -f -a "doctor" -d 'Say what this machine has to fly with, what is missing, and what to do about it'
complete -c edge -n "__fish_edge_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c edge -n "__fish_edge_using_subcommand caption" -l bundle -d 'Bundle: a folder or a `.cssa` file. Default: the default bundle' -r -F
complete -c edge -n "__fish_edge_using_subcommand caption" -l trust -d 'minisign public key: accept only a bundle that is signed with it' -r -F
complete -c edge -n "__fish_edge_using_subcommand caption" -l runtime -d 'Inference runtime. `auto`: ONNX Runtime (`ort`) if it is found and loads, else tract' -r -f -a "auto\t''
ort\t''
tract\t''"
complete -c edge -n "__fish_edge_using_subcommand caption" -l provider -d 'Execution provider of ONNX Runtime, for the encoder' -r -f -a "cpu\t''
cuda\t''
tensorrt\t''"
complete -c edge -n "__fish_edge_using_subcommand caption" -l engines -d 'Folder in which TensorRT keeps the engines it has built. Building one takes minutes' -r -F
complete -c edge -n "__fish_edge_using_subcommand caption" -l threads -d 'Threads of ONNX Runtime\'s encoder (tract\'s has one). The decoder uses at most two' -r
complete -c edge -n "__fish_edge_using_subcommand caption" -l beam -d 'Beam width. Default: the bundle\'s own search, which may be consensus decoding' -r
complete -c edge -n "__fish_edge_using_subcommand caption" -l looks -d 'Turned and mirrored views of each image that are captioned. More are slower and reduce wrong captions' -r -f -a "1\t''
2\t''
4\t''
8\t''"
complete -c edge -n "__fish_edge_using_subcommand caption" -l packets -d 'Also write the captions\' packets to this file' -r -F
complete -c edge -n "__fish_edge_using_subcommand caption" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c edge -n "__fish_edge_using_subcommand caption" -l json -d 'Print one JSON object per image'
complete -c edge -n "__fish_edge_using_subcommand caption" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c edge -n "__fish_edge_using_subcommand run" -l config -d 'Configuration (TOML): edge.toml' -r -F
complete -c edge -n "__fish_edge_using_subcommand run" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c edge -n "__fish_edge_using_subcommand run" -l check -d 'Only check the configuration and what can be known of this machine without flying. Names every problem by its key'
complete -c edge -n "__fish_edge_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c edge -n "__fish_edge_using_subcommand install" -l state -d 'Configuration of `edge run`: the bundle is tested with that file\'s settings. Or its state folder: the bundle is tested on the CPU' -r -F
complete -c edge -n "__fish_edge_using_subcommand install" -l trust -d 'minisign public key: accept only a bundle that is signed with it. Default: the configuration\'s' -r -F
complete -c edge -n "__fish_edge_using_subcommand install" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c edge -n "__fish_edge_using_subcommand install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c edge -n "__fish_edge_using_subcommand health" -l config -d 'The configuration of `edge run`' -r -F
complete -c edge -n "__fish_edge_using_subcommand health" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c edge -n "__fish_edge_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c edge -n "__fish_edge_using_subcommand self-test" -l bundle -d 'Bundle: a folder or a `.cssa` file. Default: the default bundle' -r -F
complete -c edge -n "__fish_edge_using_subcommand self-test" -l trust -d 'minisign public key: accept only a bundle that is signed with it' -r -F
complete -c edge -n "__fish_edge_using_subcommand self-test" -l runtime -d 'Inference runtime. `auto`: ONNX Runtime (`ort`) if it is found and loads, else tract' -r -f -a "auto\t''
ort\t''
tract\t''"
complete -c edge -n "__fish_edge_using_subcommand self-test" -l provider -d 'Execution provider of ONNX Runtime, for the encoder' -r -f -a "cpu\t''
cuda\t''
tensorrt\t''"
complete -c edge -n "__fish_edge_using_subcommand self-test" -l engines -d 'Folder in which TensorRT keeps the engines it has built. Building one takes minutes' -r -F
complete -c edge -n "__fish_edge_using_subcommand self-test" -l threads -d 'Threads of ONNX Runtime\'s encoder (tract\'s has one). The decoder uses at most two' -r
complete -c edge -n "__fish_edge_using_subcommand self-test" -l beam -d 'Beam width. Default: the bundle\'s own search, which may be consensus decoding' -r
complete -c edge -n "__fish_edge_using_subcommand self-test" -l looks -d 'Turned and mirrored views of each image that are captioned. More are slower and reduce wrong captions' -r -f -a "1\t''
2\t''
4\t''
8\t''"
complete -c edge -n "__fish_edge_using_subcommand self-test" -l config -d 'Load the bundle as `edge run` would with this configuration' -r -F
complete -c edge -n "__fish_edge_using_subcommand self-test" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c edge -n "__fish_edge_using_subcommand self-test" -l json -d 'Print one JSON object'
complete -c edge -n "__fish_edge_using_subcommand self-test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c edge -n "__fish_edge_using_subcommand update" -l bundle -d 'Bundle that the delta starts from. Default: the default bundle' -r -F
complete -c edge -n "__fish_edge_using_subcommand update" -l trust -d 'minisign public key: accept only a bundle that is signed with it' -r -F
complete -c edge -n "__fish_edge_using_subcommand update" -l out -d 'New bundle: a new or empty folder, or a file that ends in .cssa' -r -F
complete -c edge -n "__fish_edge_using_subcommand update" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c edge -n "__fish_edge_using_subcommand update" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c edge -n "__fish_edge_using_subcommand bench" -l bundle -d 'Bundle: a folder or a `.cssa` file. Default: the default bundle' -r -F
complete -c edge -n "__fish_edge_using_subcommand bench" -l trust -d 'minisign public key: accept only a bundle that is signed with it' -r -F
complete -c edge -n "__fish_edge_using_subcommand bench" -l runtime -d 'Inference runtime. `auto`: ONNX Runtime (`ort`) if it is found and loads, else tract' -r -f -a "auto\t''
ort\t''
tract\t''"
complete -c edge -n "__fish_edge_using_subcommand bench" -l provider -d 'Execution provider of ONNX Runtime, for the encoder' -r -f -a "cpu\t''
cuda\t''
tensorrt\t''"
complete -c edge -n "__fish_edge_using_subcommand bench" -l engines -d 'Folder in which TensorRT keeps the engines it has built. Building one takes minutes' -r -F
complete -c edge -n "__fish_edge_using_subcommand bench" -l threads -d 'Threads of ONNX Runtime\'s encoder (tract\'s has one). The decoder uses at most two' -r
complete -c edge -n "__fish_edge_using_subcommand bench" -l beam -d 'Beam width. Default: the bundle\'s own search, which may be consensus decoding' -r
complete -c edge -n "__fish_edge_using_subcommand bench" -l looks -d 'Turned and mirrored views of each image that are captioned. More are slower and reduce wrong captions' -r -f -a "1\t''
2\t''
4\t''
8\t''"
complete -c edge -n "__fish_edge_using_subcommand bench" -l count -d 'Number of captions to measure' -r
complete -c edge -n "__fish_edge_using_subcommand bench" -l batch -d 'Images captioned together' -r
complete -c edge -n "__fish_edge_using_subcommand bench" -l choose -d 'Measure this machine\'s runtimes, providers, threads and batches, each in a process of its own, and write the fastest one whose captions equal the CPU\'s into this configuration. Without --candidate, its own bundle is measured' -r -F
complete -c edge -n "__fish_edge_using_subcommand bench" -l candidate -d 'Bundle to choose among, for example one in FP16 for TensorRT. May be repeated; the preferred one first' -r -F
complete -c edge -n "__fish_edge_using_subcommand bench" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c edge -n "__fish_edge_using_subcommand bench" -l json -d 'Print one JSON object'
complete -c edge -n "__fish_edge_using_subcommand bench" -l ends-with-parent -d 'End when the program that started this one ends'
complete -c edge -n "__fish_edge_using_subcommand bench" -l row -d 'The row of this machine for the documentation\'s table of devices, in Markdown'
complete -c edge -n "__fish_edge_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c edge -n "__fish_edge_using_subcommand doctor" -l bundle -d 'Bundle: a folder or a `.cssa` file. Default: the one that the configuration flies, or the default bundle' -r -F
complete -c edge -n "__fish_edge_using_subcommand doctor" -l config -d 'Configuration of `edge run`, to be examined with what it names' -r -F
complete -c edge -n "__fish_edge_using_subcommand doctor" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c edge -n "__fish_edge_using_subcommand doctor" -l json -d 'Print a JSON array'
complete -c edge -n "__fish_edge_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c edge -n "__fish_edge_using_subcommand help; and not __fish_seen_subcommand_from caption run install health self-test update bench doctor help" -f -a "caption" -d 'Caption image files, or folders of them: JPEG, PNG, TIFF'
complete -c edge -n "__fish_edge_using_subcommand help; and not __fish_seen_subcommand_from caption run install health self-test update bench doctor help" -f -a "run" -d 'Fly: take frames from a source, caption them, and send what the policy lets through'
complete -c edge -n "__fish_edge_using_subcommand help; and not __fish_seen_subcommand_from caption run install health self-test update bench doctor help" -f -a "install" -d 'Test a bundle, install it into the inactive slot and make that slot active'
complete -c edge -n "__fish_edge_using_subcommand help; and not __fish_seen_subcommand_from caption run install health self-test update bench doctor help" -f -a "health" -d 'Tell whether a run is well, by its status: exit code 0 or 1, for a container\'s health check'
complete -c edge -n "__fish_edge_using_subcommand help; and not __fish_seen_subcommand_from caption run install health self-test update bench doctor help" -f -a "self-test" -d 'Caption the golden image and compare the result with the recorded one'
complete -c edge -n "__fish_edge_using_subcommand help; and not __fish_seen_subcommand_from caption run install health self-test update bench doctor help" -f -a "update" -d 'Make a new bundle from the one on board and a delta from the uplink'
complete -c edge -n "__fish_edge_using_subcommand help; and not __fish_seen_subcommand_from caption run install health self-test update bench doctor help" -f -a "bench" -d 'Measure time, memory and bytes per caption; or choose the fastest settings (--choose)'
complete -c edge -n "__fish_edge_using_subcommand help; and not __fish_seen_subcommand_from caption run install health self-test update bench doctor help" -f -a "doctor" -d 'Say what this machine has to fly with, what is missing, and what to do about it'
complete -c edge -n "__fish_edge_using_subcommand help; and not __fish_seen_subcommand_from caption run install health self-test update bench doctor help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
