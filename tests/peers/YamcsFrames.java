import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.yamcs.TmPacket;
import org.yamcs.YConfiguration;
import org.yamcs.events.EventProducerFactory;
import org.yamcs.rs.ReedSolomon;
import org.yamcs.tctm.PacketPreprocessor;
import org.yamcs.tctm.TmPacketDataLink;
import org.yamcs.tctm.ccsds.MasterChannelFrameHandler;
import org.yamcs.tctm.ccsds.Randomizer;
import org.yamcs.tctm.ccsds.VcDownlinkHandler;
import org.yamcs.time.Instant;
import org.yamcs.utils.TimeEncoding;

/**
 * Reads channel access data units as Yamcs does, and prints each transfer frame ("frame HEX", with the bytes that Reed-Solomon mended)
 * and each space packet ("packet CHANNEL HEX") that comes out of them. All of it is Yamcs's own: the pseudo-randomizer, the Reed-Solomon
 * decoder, frame error control, the master channel, the virtual channels' packets. Only the dual basis, which Yamcs does not have, is
 * made here, by the rows of 131.0-B-5, annex F.
 *
 * usage: javac -cp 'JARS/*' -d FOLDER YamcsFrames.java && java -cp 'FOLDER:JARS/*' YamcsFrames SPACECRAFT FILE
 */
public class YamcsFrames {
    static final int MARKER = 4, BLOCK = 255, PARITY = 32, DATA = BLOCK - PARITY;
    static final int[] ROWS = {0x8d, 0xef, 0xec, 0x86, 0xfa, 0x99, 0xaf, 0x7b};

    /** What a packet is, is for the mission to say; here it stays as it came. */
    public static class AsItCame implements PacketPreprocessor {
        public AsItCame(String instance) {}

        @Override
        public TmPacket process(TmPacket packet) {
            return packet;
        }
    }

    public static void main(String[] arguments) {
        try {
            if (arguments.length != 2) {
                throw new IllegalArgumentException("usage: YamcsFrames SPACECRAFT FILE");
            }
            read(Integer.parseInt(arguments[0]), Path.of(arguments[1]));
            // Threads of Yamcs's database would go on.
            System.exit(0);
        } catch (Throwable failure) {
            failure.printStackTrace();
            System.exit(1);
        }
    }

    static void read(int spacecraft, Path path) throws Exception {
        Path folder = Files.createTempDirectory("yamcs");
        YConfiguration.setResolver(name -> new ByteArrayInputStream(("dataDir: " + folder).getBytes()));
        TimeEncoding.setUp();
        EventProducerFactory.setMockup(false);
        List<Map<String, Object>> channels = new ArrayList<>();
        // Idle frames come on channel 7, which Yamcs has to know.
        for (int channel : new int[] {0, 1, 2, 7}) {
            channels.add(Map.of("vcId", channel, "service", "PACKET", "maxPacketLength", 65542, "stream", "tm",
                "packetPreprocessorClassName", AsItCame.class.getName()));
        }
        var master = new MasterChannelFrameHandler("peer", "link", YConfiguration.wrap(Map.of("frameType", "TM",
            "spacecraftId", spacecraft, "frameLength", DATA, "errorDetection", "CRC16",
            "virtualChannels", channels)));
        for (VcDownlinkHandler handler : master.getVcHandlers()) {
            if (handler instanceof TmPacketDataLink link) {
                String channel = link.getName().replaceAll("\\D", "");
                link.setTmSink(packet -> System.out.println("packet " + channel + " " + hex(packet.getPacket())));
            }
        }
        for (byte[] block : blocks(path)) {
            Randomizer.randomizeTm(block);
            int mended = new ReedSolomon(PARITY, 8, 112, 11, 0x187, 0).decode(toConventional(block), null);
            byte[] frame = mend(block);
            System.out.println("frame " + hex(frame) + " " + mended);
            master.handleFrame(Instant.get(0), frame, 0, frame.length);
        }
    }

    /** Codeblocks with their markers, one after the other. */
    static List<byte[]> blocks(Path path) throws IOException {
        byte[] all = Files.readAllBytes(path);
        List<byte[]> blocks = new ArrayList<>();
        for (int at = 0; at < all.length; at += MARKER + BLOCK) {
            byte[] marker = Arrays.copyOfRange(all, at, at + MARKER);
            if (!Arrays.equals(marker, new byte[] {0x1a, (byte) 0xcf, (byte) 0xfc, 0x1d})) {
                throw new IOException("no sync marker at byte " + at + ": " + hex(marker));
            }
            blocks.add(Arrays.copyOfRange(all, at + MARKER, at + MARKER + BLOCK));
        }
        return blocks;
    }

    static byte[] mend(byte[] dual) throws Exception {
        byte[] block = toConventional(dual);
        new ReedSolomon(PARITY, 8, 112, 11, 0x187, 0).decode(block, null);
        byte[] frame = new byte[DATA];
        for (int n = 0; n < DATA; n++) {
            frame[n] = (byte) toDual(block[n] & 0xff);
        }
        return frame;
    }

    static byte[] toConventional(byte[] dual) {
        byte[] inverse = new byte[256], block = new byte[dual.length];
        for (int value = 0; value < 256; value++) {
            inverse[toDual(value)] = (byte) value;
        }
        for (int n = 0; n < dual.length; n++) {
            block[n] = inverse[dual[n] & 0xff];
        }
        return block;
    }

    static int toDual(int conventional) {
        int dual = 0;
        for (int bit = 0; bit < 8; bit++) {
            if ((conventional >> (7 - bit) & 1) == 1) {
                dual ^= ROWS[bit];
            }
        }
        return dual;
    }

    static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }
}
