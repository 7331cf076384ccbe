// The ways by which pictures come in as files: chosen, dropped anywhere on the page, pasted.

// open: the button; input: the hidden file field; veil: what covers the page while something is dragged over it.
// onFiles(list of File), onNotFiles(): something was dropped that is no file.
export function listenForFiles({ open, input, veil }, onFiles, onNotFiles) {
    open.addEventListener('click', () => input.click());
    input.addEventListener('change', () => {
        onFiles([...input.files]);
        input.value = ''; // so that the same file can be opened again
    });
    listenForDrops(veil, onFiles, onNotFiles);
    document.addEventListener('paste', (event) => {
        const files = [...(event.clipboardData?.files ?? [])];
        if (files.length > 0) {
            event.preventDefault();
            onFiles(files);
        }
    });
}

function listenForDrops(veil, onFiles, onNotFiles) {
    let depth = 0; // enter and leave are told for every element on the way
    const show = (by) => {
        depth = Math.max(0, depth + by);
        veil.hidden = depth === 0;
    };
    document.addEventListener('dragenter', (event) => {
        event.preventDefault();
        show(1);
    });
    document.addEventListener('dragleave', () => show(-1));
    document.addEventListener('dragover', (event) => {
        event.preventDefault();
        event.dataTransfer.dropEffect = 'copy';
    });
    document.addEventListener('drop', (event) => {
        event.preventDefault();
        show(-depth);
        const files = [...event.dataTransfer.files];
        if (files.length > 0) {
            onFiles(files);
        } else {
            onNotFiles();
        }
    });
}

// How this machine's keyboard calls paste
export function pasteKey(platform) {
    return /mac|iphone|ipad/i.test(platform) ? '⌘V' : 'Ctrl+V';
}
