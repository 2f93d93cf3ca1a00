# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ground_global_optspecs
    string join \n log= h/help V/version
end

function __fish_ground_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ground_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ground_using_subcommand
    set -l cmd (__fish_ground_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ground -n "__fish_ground_needs_command" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_needs_command" -s V -l version -d 'Print version'
complete -c ground -n "__fish_ground_needs_command" -f -a "receive" -d 'Receive packets and store their captions in an archive: a GeoPackage, or a database with PostGIS'
complete -c ground -n "__fish_ground_needs_command" -f -a "map" -d 'Serve a map of an archive\'s captions for the browser'
complete -c ground -n "__fish_ground_needs_command" -f -a "export" -d 'Write an archive\'s captions as GeoJSON, CSV, GeoParquet or STAC'
complete -c ground -n "__fish_ground_needs_command" -f -a "command" -d 'Give a vehicle a command, or list commands and their results'
complete -c ground -n "__fish_ground_needs_command" -f -a "ask" -d 'Ask a vehicle for the picture of a caption, list requests, or write a picture that has come'
complete -c ground -n "__fish_ground_needs_command" -f -a "key" -d 'Make a key that a vehicle and its ground share'
complete -c ground -n "__fish_ground_needs_command" -f -a "decode" -d 'Decode a file of packets into text'
complete -c ground -n "__fish_ground_needs_command" -f -a "encode" -d 'Encode sentences and print the bytes that they take on the link'
complete -c ground -n "__fish_ground_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ground -n "__fish_ground_using_subcommand receive" -l from -d 'Port: udp:ADDRESS:PORT, serial:DEVICE:BAUD, file:PATH or mavlink:KIND:ADDRESS. May be repeated. A port that fails stops no other. A vehicle is answered at the port where it was heard last' -r
complete -c ground -n "__fish_ground_using_subcommand receive" -l framing -d 'Framing of packets: link.framing of the vehicle\'s edge.toml' -r -f -a "plain\t''
ccsds\t''
ccsds-rs\t''
ccsds-tm\t''"
complete -c ground -n "__fish_ground_using_subcommand receive" -l apid -d 'Application process identifier of the vehicle\'s space packets' -r
complete -c ground -n "__fish_ground_using_subcommand receive" -l checksum -d 'Bits of the packets\' checksum, 32 or 16: link.checksum of the vehicle\'s edge.toml' -r
complete -c ground -n "__fish_ground_using_subcommand receive" -l key -d 'Key shared with the vehicle. With it captions are acknowledged, commands are sent, and only packets with a right code of authentication are accepted. 12=PATH is the key of vehicle 12 only, and the only one accepted from it; PATH is the key of all vehicles without one of their own. May be repeated: while a key is being changed, give the new one first, then the old one' -r
complete -c ground -n "__fish_ground_using_subcommand receive" -l station -d 'Number of this station. Stations that share vehicles need different numbers' -r
complete -c ground -n "__fish_ground_using_subcommand receive" -l vehicle -d 'Number, 1 to 65535, for a vehicle whose packets name none (link.vehicle = 0), so that the same pass from two files or addresses is kept once' -r
complete -c ground -n "__fish_ground_using_subcommand receive" -l archive -d 'Archive: a GeoPackage file, created if missing, or postgres://USER:PASSWORD@HOST/DATABASE, a database with PostGIS that several receivers can share (without TLS; the password may be in PGPASSWORD)' -r
complete -c ground -n "__fish_ground_using_subcommand receive" -l bundle -d 'Bundles of the vehicles: folders, `.cssa` files, or folders of these, which are searched again for a bundle that is missing. Default: the default bundle' -r -F
complete -c ground -n "__fish_ground_using_subcommand receive" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand receive" -l accept-unauthenticated -d 'With --key: also accept packets without a code of authentication, from vehicles without the key and from earlier programs'
complete -c ground -n "__fish_ground_using_subcommand receive" -l quiet -d 'Print only problems'
complete -c ground -n "__fish_ground_using_subcommand receive" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand map" -l archive -d 'Archive: a GeoPackage file or postgres://USER:PASSWORD@HOST/DATABASE. `ground receive` may be writing it' -r
complete -c ground -n "__fish_ground_using_subcommand map" -l listen -d 'ADDRESS:PORT. Anybody who can reach an address other than this machine\'s own sees every caption' -r
complete -c ground -n "__fish_ground_using_subcommand map" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand map" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand export" -l archive -d 'Archive: a GeoPackage file or postgres://USER:PASSWORD@HOST/DATABASE' -r
complete -c ground -n "__fish_ground_using_subcommand export" -l format -d 'Output format. geoparquet has captions and footprints in one table; stac is an ItemCollection' -r -f -a "geojson\t'RFC 7946'
csv\t'RFC 4180, with a header'
geoparquet\t'GeoParquet 1.1'
stac\t'STAC 1.1 items'"
complete -c ground -n "__fish_ground_using_subcommand export" -l layer -d 'Geometries: captions as points, or, with geojson, the footprints of their images as polygons' -r -f -a "captions\t'Points'
footprints\t'Polygons'"
complete -c ground -n "__fish_ground_using_subcommand export" -l words -d 'Only captions that contain all of these words. Default: all captions' -r
complete -c ground -n "__fish_ground_using_subcommand export" -l scene -d 'With stac: address of the scene that a caption is derived from. {vehicle}, {sequence} and {time} are replaced by the caption\'s' -r
complete -c ground -n "__fish_ground_using_subcommand export" -l model -d 'With stac: address of the model\'s STAC item. {bundle} is replaced by the bundle\'s id' -r
complete -c ground -n "__fish_ground_using_subcommand export" -l out -d 'Output file. -: standard output' -r -F
complete -c ground -n "__fish_ground_using_subcommand export" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -l archive -d 'Archive. A `ground receive --key` on the same archive sends the command when it hears the vehicle, and again until it answers' -r
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -l vehicle -d 'Number of the vehicle; 0: the one without a number. Default: the only vehicle of the archive' -r
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -l withdraw -d 'Withdraw a command that has not been sent, by its number in the list, or a range such as 12-40' -r
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -l list -d 'List the commands, the newest first, with their state: waiting, sent, done, refused, not kept, unanswered or withdrawn'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -l json -d 'With --list: print one JSON object per command'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "threshold" -d 'Drop captions with less confidence than this'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "watch" -d 'Replace the watch-words. Without words there are none'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "novelty" -d 'Set when a repeated caption of a place is sent again'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "rate" -d 'Set the link\'s rate'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "budget" -d 'Set the budget of the queue'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "pause" -d 'Stop captioning until `resume`'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "resume" -d 'Resume captioning'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "self-test" -d 'Caption the golden image and answer with the result'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "slot" -d 'Switch to the bundle of a slot'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "status" -d 'Send a status at once'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "forget-pictures" -d 'Delete all pictures kept on board'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "delta" -d 'Send a delta (exporter delta) and install the bundle that it makes from the current one. It is sent in parts; other commands do not wait for them. The new bundle flies after `slot`, or from the next start'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "new-key" -d 'Give the vehicle a new key, wrapped under the old one. Whoever has the old key and recorded the packet has the new one, too: this rotates keys, it does not heal a leak. When it is done, start ground receive with --key NEW --key OLD. The vehicle changes when it hears the new key, and keeps it over starts, above its link.key'
complete -c ground -n "__fish_ground_using_subcommand command; and not __fish_seen_subcommand_from threshold watch novelty rate budget pause resume self-test slot status forget-pictures delta new-key help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from threshold" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from threshold" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from watch" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from novelty" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from novelty" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from rate" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from rate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from budget" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from budget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from pause" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from resume" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from self-test" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from self-test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from slot" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from slot" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from status" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from forget-pictures" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from forget-pictures" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from delta" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from delta" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from new-key" -l key -d 'Key that the vehicle has now, as given to ground receive --key' -r
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from new-key" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from new-key" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "threshold" -d 'Drop captions with less confidence than this'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "watch" -d 'Replace the watch-words. Without words there are none'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "novelty" -d 'Set when a repeated caption of a place is sent again'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "rate" -d 'Set the link\'s rate'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "budget" -d 'Set the budget of the queue'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "pause" -d 'Stop captioning until `resume`'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "resume" -d 'Resume captioning'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "self-test" -d 'Caption the golden image and answer with the result'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "slot" -d 'Switch to the bundle of a slot'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "status" -d 'Send a status at once'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "forget-pictures" -d 'Delete all pictures kept on board'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "delta" -d 'Send a delta (exporter delta) and install the bundle that it makes from the current one. It is sent in parts; other commands do not wait for them. The new bundle flies after `slot`, or from the next start'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "new-key" -d 'Give the vehicle a new key, wrapped under the old one. Whoever has the old key and recorded the packet has the new one, too: this rotates keys, it does not heal a leak. When it is done, start ground receive with --key NEW --key OLD. The vehicle changes when it hears the new key, and keeps it over starts, above its link.key'
complete -c ground -n "__fish_ground_using_subcommand command; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ground -n "__fish_ground_using_subcommand ask" -l archive -d 'Archive. A `ground receive --key` on the same archive sends the request when it hears the vehicle, and stores the picture' -r
complete -c ground -n "__fish_ground_using_subcommand ask" -l vehicle -d 'Number of the vehicle; 0: the one without a number. Default: the only vehicle of the archive' -r
complete -c ground -n "__fish_ground_using_subcommand ask" -l caption -d 'Number of the caption whose picture is wanted' -r
complete -c ground -n "__fish_ground_using_subcommand ask" -l pixels -d 'Longer side of the picture in pixels, at most; 16 to 8192. Any captioned frame has up to 160; flagged frames and those with a watch-word have more. Large pictures take long on thin links' -r
complete -c ground -n "__fish_ground_using_subcommand ask" -l crop -d 'Part of the frame: LEFT,TOP,WIDTH,HEIGHT in pixels of the frame as it is kept on board. --list shows its size for pictures that have come. Very large images are captioned and kept at half their size or less. What lies outside of the frame is cut off' -r
complete -c ground -n "__fish_ground_using_subcommand ask" -l out -d 'Write the picture to this file (WebP). Waits until it is here, however many passes that takes' -r -F
complete -c ground -n "__fish_ground_using_subcommand ask" -l picture -d 'Number of a picture that was asked for before' -r
complete -c ground -n "__fish_ground_using_subcommand ask" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand ask" -l list -d 'List the pictures that were asked for, the newest first, with their state: waiting, sent, coming, here, not kept, refused or unanswered'
complete -c ground -n "__fish_ground_using_subcommand ask" -l json -d 'With --list: print one JSON object per picture'
complete -c ground -n "__fish_ground_using_subcommand ask" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand key" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand key" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand decode" -l bundle -d 'Bundle that made them: a folder or a `.cssa` file. Default: the default bundle' -r -F
complete -c ground -n "__fish_ground_using_subcommand decode" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand decode" -l json -d 'Print one JSON object per caption'
complete -c ground -n "__fish_ground_using_subcommand decode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand encode" -l bundle -d 'Bundle whose language model packs them: a folder or a `.cssa` file. Default: the default bundle' -r -F
complete -c ground -n "__fish_ground_using_subcommand encode" -l log -d 'Format of the log on standard error' -r -f -a "lines\t'One line per message, for people'
json\t'One JSON object per message, with time, level, module and fields'"
complete -c ground -n "__fish_ground_using_subcommand encode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ground -n "__fish_ground_using_subcommand help; and not __fish_seen_subcommand_from receive map export command ask key decode encode help" -f -a "receive" -d 'Receive packets and store their captions in an archive: a GeoPackage, or a database with PostGIS'
complete -c ground -n "__fish_ground_using_subcommand help; and not __fish_seen_subcommand_from receive map export command ask key decode encode help" -f -a "map" -d 'Serve a map of an archive\'s captions for the browser'
complete -c ground -n "__fish_ground_using_subcommand help; and not __fish_seen_subcommand_from receive map export command ask key decode encode help" -f -a "export" -d 'Write an archive\'s captions as GeoJSON, CSV, GeoParquet or STAC'
complete -c ground -n "__fish_ground_using_subcommand help; and not __fish_seen_subcommand_from receive map export command ask key decode encode help" -f -a "command" -d 'Give a vehicle a command, or list commands and their results'
complete -c ground -n "__fish_ground_using_subcommand help; and not __fish_seen_subcommand_from receive map export command ask key decode encode help" -f -a "ask" -d 'Ask a vehicle for the picture of a caption, list requests, or write a picture that has come'
complete -c ground -n "__fish_ground_using_subcommand help; and not __fish_seen_subcommand_from receive map export command ask key decode encode help" -f -a "key" -d 'Make a key that a vehicle and its ground share'
complete -c ground -n "__fish_ground_using_subcommand help; and not __fish_seen_subcommand_from receive map export command ask key decode encode help" -f -a "decode" -d 'Decode a file of packets into text'
complete -c ground -n "__fish_ground_using_subcommand help; and not __fish_seen_subcommand_from receive map export command ask key decode encode help" -f -a "encode" -d 'Encode sentences and print the bytes that they take on the link'
complete -c ground -n "__fish_ground_using_subcommand help; and not __fish_seen_subcommand_from receive map export command ask key decode encode help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "threshold" -d 'Drop captions with less confidence than this'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "watch" -d 'Replace the watch-words. Without words there are none'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "novelty" -d 'Set when a repeated caption of a place is sent again'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "rate" -d 'Set the link\'s rate'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "budget" -d 'Set the budget of the queue'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "pause" -d 'Stop captioning until `resume`'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "resume" -d 'Resume captioning'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "self-test" -d 'Caption the golden image and answer with the result'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "slot" -d 'Switch to the bundle of a slot'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "status" -d 'Send a status at once'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "forget-pictures" -d 'Delete all pictures kept on board'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "delta" -d 'Send a delta (exporter delta) and install the bundle that it makes from the current one. It is sent in parts; other commands do not wait for them. The new bundle flies after `slot`, or from the next start'
complete -c ground -n "__fish_ground_using_subcommand help; and __fish_seen_subcommand_from command" -f -a "new-key" -d 'Give the vehicle a new key, wrapped under the old one. Whoever has the old key and recorded the packet has the new one, too: this rotates keys, it does not heal a leak. When it is done, start ground receive with --key NEW --key OLD. The vehicle changes when it hears the new key, and keeps it over starts, above its link.key'
